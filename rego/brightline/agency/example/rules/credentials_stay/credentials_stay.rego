# METADATA
# title: Keys and passwords stay where they are
# description: >
#   Content with a key, a password or a token in it is not sent to a model, and an answer or a call of a tool with one is
#   not let through.
# custom:
#   id: credentials_stay
#   class: agency
#   statement: No key, password or token goes to a model or comes from one.
#   remedy: Take keys, passwords and tokens out of the content, and replace those that were in it where they were shared.
#   relaxed_by: agency
#   facts: [signals.credentials, tenant.kind]
#   sources:
#     - {title: "Example agency, rules for the use of AI", read: first_hand}
package brightline.agency.example.rules.credentials_stay

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not harmless

harmless if facts.unheard("credentials")
