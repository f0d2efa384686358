# METADATA
# title: No keys or passwords in content
# description: >
#   Content that contains a key, a password or a token is not sent to a model. An answer or a tool call that contains
#   one is not let through.
# custom:
#   id: credentials_stay
#   class: agency
#   statement: No key, password or token goes to a model or comes from one.
#   remedy: Remove keys, passwords and tokens from the content, and replace those that it has exposed.
#   relaxed_by: agency
#   facts: [signals.credentials, tenant.kind]
#   sources:
#     - {title: "Example agency, rules for the use of AI", read: first_hand}
package brightline.agency.example.rules.credentials_stay

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not harmless

harmless if facts.unheard("credentials")
