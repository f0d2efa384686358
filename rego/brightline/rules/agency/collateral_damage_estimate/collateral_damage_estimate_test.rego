package brightline.rules.agency.collateral_damage_estimate_test

import data.brightline.rules.agency.collateral_damage_estimate as rule
import data.fixtures

refusal := {"effect": "require_approval", "id": "collateral_damage_estimate"}

estimated := fixtures.changed({
	"tenant": {"rules": ["collateral_damage_estimate"]},
	"request": {"purpose": "collateral_damage_estimation", "evidence": fixtures.evidence, "approval": fixtures.approval},
})

test_silent[note] if {
	some note, request in {
		"permitted": fixtures.permitted,
		"not selected": object.union(estimated, {"tenant": {"rules": []}, "request": {"evidence": []}}),
		"proven and approved": estimated,
	}
	not rule.verdict with input as request
}

test_waits_at_every_stage[note] if {
	some case, request in {
		"not approved": object.union(estimated, {"request": {"approval": null}}),
		"no evidence": object.union(estimated, {"request": {"evidence": []}}),
		"the model was not tested for it": object.union(estimated, {"request": {"evidence": [{"kind": "responsible_person", "id": "p", "expires": 1500}]}}),
		"nobody is responsible": object.union(estimated, {"request": {"evidence": [{"kind": "model_test", "id": "t", "expires": 1500}]}}),
		"the test is out of date": object.union(estimated, {"now": 1501}),
	}
	some stage, staged in fixtures.stages(request)
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as staged
}

test_waits_spoiled_facts[note] if {
	some pointer in ["/request", "/request/purpose", "/request/evidence", "/request/approval", "/now"]
	some note, request in fixtures.spoiled(estimated, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_waits_spoiled_attributes[note] if {
	some pointer in ["/tenant", "/tenant/rules"]
	some note, request in fixtures.spoiled(object.union(estimated, {"tenant": {"rules": []}, "request": {"evidence": []}}), pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_waits_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
