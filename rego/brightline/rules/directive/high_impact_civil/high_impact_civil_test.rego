package brightline.rules.directive.high_impact_civil_test

import data.brightline.rules.directive.high_impact_civil as rule
import data.fixtures

refusal := {"effect": "deny", "id": "high_impact_civil"}

assessed := fixtures.declared({"purpose": "eligibility_determination", "evidence": fixtures.evidence})

six := [item | some item in fixtures.evidence; item.kind != "caio_waiver"]

test_silent[note] if {
	some note, request in {
		"permitted": fixtures.permitted,
		"a national security system": object.union(assessed, {"tenant": {"national_security": true}, "request": {"evidence": []}}),
		"everything proven, and nothing waived": object.union(assessed, {"request": {"evidence": six}}),
		"a waiver": object.union(assessed, {"request": {"evidence": [{"kind": "caio_waiver", "id": "w-1", "expires": 1500}]}}),
		"a waiver for a year": object.union(assessed, {"request": {"evidence": [{"kind": "caio_waiver", "id": "w-1", "expires": 31622401000}]}}),
	}
	not rule.verdict with input as request
}

test_refuses_at_every_stage[note] if {
	some case, request in {
		"nothing proven": object.union(assessed, {"request": {"evidence": []}}),
		"all but the appeal": object.union(assessed, {"request": {"evidence": [item | some item in fixtures.evidence; not item.kind in {"appeal_process", "caio_waiver"}]}}),
		"all out of date": object.union(assessed, {"now": 1501}),
		"a waiver without an end": object.union(assessed, {"request": {"evidence": [{"kind": "caio_waiver", "id": "w-1", "expires": 0}]}}),
		"a waiver for longer than a year": object.union(assessed, {"request": {"evidence": [{"kind": "caio_waiver", "id": "w-1", "expires": 31622401001}]}}),
		"a waiver, for a purpose that nobody knows": object.union(assessed, {"request": {
			"purpose": "policing",
			"evidence": [{"kind": "caio_waiver", "id": "w-1", "expires": 1500}],
		}}),
		"an approval": object.union(assessed, {"request": {"evidence": [], "approval": fixtures.approval}}),
	}
	some stage, staged in fixtures.stages(request)
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as staged
}

test_refuses_without_any_of_the_six[note] if {
	some note in [
		"impact_assessment",
		"pre_deployment_testing",
		"ongoing_monitoring",
		"operator_training",
		"human_oversight",
		"appeal_process",
	]
	evidence := [item | some item in fixtures.evidence; not item.kind in {note, "caio_waiver"}]
	fixtures.says(rule.verdict) == refusal with input as object.union(assessed, {"request": {"evidence": evidence}})
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/request", "/request/purpose", "/request/evidence", "/now"]
	some note, request in fixtures.spoiled(object.union(assessed, {"request": {"evidence": six}}), pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_spoiled_attributes[note] if {
	some pointer in ["/tenant", "/tenant/national_security"]
	some note, request in object.remove(fixtures.spoiled(object.union(assessed, {"tenant": {"national_security": true}, "request": {"evidence": []}}), pointer), [`/tenant/national_security true`])
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
