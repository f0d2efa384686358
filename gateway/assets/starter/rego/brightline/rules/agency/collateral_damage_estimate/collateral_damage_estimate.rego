# METADATA
# title: Estimates of collateral damage
# description: >
#   An estimate of collateral damage needs a model that was tested for this use, a trained person who is responsible
#   for the estimate, and an approval. The rule follows a benchmark in a rescinded memorandum, which is not a source
#   of law. A tenant selects this rule.
# custom:
#   id: collateral_damage_estimate
#   class: agency
#   statement: An estimate of collateral damage needs a tested model, a responsible trained person and an approval.
#   remedy: Name the model test and the responsible person as evidence, and obtain an approval.
#   relaxed_by: official
#   relaxed_how: The head of the component, by an approval that is recorded.
#   selected_by: tenant
#   facts: [tenant.rules, request.purpose, request.evidence, request.approval, principal.subject, now]
#   sources:
#     - {title: "Agency rule, after a benchmark of NSM-25 (rescinded by NSPM-11 §3(f))", read: first_hand}
package brightline.rules.agency.collateral_damage_estimate

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "require_approval", "rule": about} if not harmless

# The tenant did not select this rule.
harmless if {
	facts.texts(input.tenant.rules)
	not "collateral_damage_estimate" in input.tenant.rules
}

harmless if facts.outside("collateral")

harmless if {
	is_array(facts.areas)
	facts.proven("model_test")
	facts.proven("responsible_person")
	facts.approved
}
