# METADATA
# title: Appropriate levels of human judgment over the use of force
# description: >
#   Support to targeting or to a weapon waits for a named person's approval, which is where any senior review is
#   referred to. Where a weapon takes part, by a tool, by acting on its own, or by a program that acts on the answer,
#   its verification and validation are named as evidence too.
# custom:
#   id: weapon_human_judgment
#   class: directive
#   statement: Support to targeting or to a weapon waits for a named person's approval, and a weapon for proof of its testing.
#   remedy: >-
#     Obtain an approval by someone other than the caller, and send the request again with its identifier. Where a
#     weapon takes part, name its verification and validation as evidence.
#   relaxed_by: official
#   relaxed_how: Nobody lifts the judgment; a named person exercises it for each request, by an approval that is recorded.
#   facts: [request.purpose, request.tools, request.autonomy, request.channel, request.approval, request.evidence,
#     principal.subject, now]
#   sources:
#     - {title: "DoDD 3000.09 §1.2, §3, §4", read: first_hand}
package brightline.rules.directive.weapon_human_judgment

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "require_approval", "rule": about} if not harmless

harmless if facts.peaceful

harmless if {
	facts.approved
	advisory
}

harmless if {
	facts.approved
	facts.proven("verification_validation")
}

# People read the answer, and no tool is part of a weapon: there is no weapon to verify.
advisory if {
	facts.unarmed
	facts.people_decide
}
