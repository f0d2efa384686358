# METADATA
# title: Appropriate levels of human judgment over the use of force
# description: >
#   Support to targeting or to a weapon waits for the approval of a named person. The approval refers to any senior
#   review. If a weapon takes part, the request also names the verification and validation of the weapon as evidence.
#   A weapon takes part if a tool can be part of one, if the system acts on its own, or if a program acts on the
#   answer.
# custom:
#   id: weapon_human_judgment
#   class: directive
#   statement: >-
#     Support to targeting or to a weapon waits for a named person's approval, and a weapon also for proof of its
#     testing.
#   remedy: >-
#     Obtain an approval by someone other than the caller, and send the request again with the approval's identifier.
#     If a weapon takes part, name its verification and validation as evidence.
#   relaxed_by: official
#   relaxed_how: >-
#     Nobody can lift the human judgment. A named person exercises it for each request, by an approval that is
#     recorded.
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

# People read the answer and decide, and no tool is part of a weapon, so there is no weapon to verify.
advisory if {
	facts.unarmed
	facts.people_decide
}
