# METADATA
# title: People make the decisions that people have to make
# description: >
#   Where a decision about a person needs a human, a system that acts by itself, or a program that acts on the answer,
#   waits for an approval. A tenant selects this rule.
# custom:
#   id: high_stakes_automated_decision
#   class: agency
#   statement: A decision that needs human approval is not automated.
#   remedy: >-
#     Let a person decide each action and declare that: autonomy none or recommend, and the channel on which people read
#     the answer. Or obtain an approval.
#   relaxed_by: agency
#   relaxed_how: Nobody takes the human out; the agency decides whether it selects the rule.
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
