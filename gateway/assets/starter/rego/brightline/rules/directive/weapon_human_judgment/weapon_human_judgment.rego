# METADATA
# title: Appropriate levels of human judgment over the use of force
# description: >
#   Support to targeting or to a weapon waits for a named person's approval, which is where verification, validation and
#   any senior review are referred to.
# custom:
#   id: weapon_human_judgment
#   class: directive
#   statement: Support to targeting or to a weapon waits for a named person's approval.
#   remedy: Obtain an approval by someone other than the caller, and send the request again with its identifier.
#   relaxed_by: official
#   facts: [request.purpose, request.tools, request.approval, principal.subject]
#   sources:
#     - {title: "DoDD 3000.09 §1.2, §3, §4", read: first_hand}
package brightline.rules.directive.weapon_human_judgment

import data.brightline.facts

verdict := {"effect": "require_approval", "rule": rego.metadata.chain()[1].annotations} if not harmless

harmless if facts.peaceful

harmless if facts.approved
