# METADATA
# title: A person makes the decisions that need a human
# description: >
#   Where a decision about a person needs a human, the request waits for an approval if the system acts by itself or a
#   program acts on the answer. A tenant selects this rule.
# custom:
#   id: high_stakes_automated_decision
#   class: agency
#   statement: A decision that needs human approval is not automated.
#   remedy: >-
#     Let a person decide each action, and declare that: set autonomy to none or recommend, and the channel to one on
#     which people read the answer. Otherwise, obtain an approval.
#   relaxed_by: agency
#   relaxed_how: Nobody can take the human out of the decision. The agency decides whether to select the rule.
#   selected_by: tenant
#   facts: [tenant.rules, request.purpose, request.autonomy, request.channel, request.approval, principal.subject]
#   sources:
#     - {title: "Agency rule, offered with the pack", read: first_hand}
package brightline.rules.agency.high_stakes_automated_decision

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "require_approval", "rule": about} if not harmless

# The tenant did not select this rule.
harmless if {
	facts.texts(input.tenant.rules)
	not "high_stakes_automated_decision" in input.tenant.rules
}

harmless if facts.outside("determination")

harmless if {
	is_array(facts.areas)
	facts.people_decide
}

harmless if {
	is_array(facts.areas)
	facts.approved
}
