package brightline.rules.agency.high_stakes_automated_decision_test

import data.brightline.rules.agency.high_stakes_automated_decision as rule
import data.fixtures

refusal := {"effect": "require_approval", "id": "high_stakes_automated_decision"}

decided := fixtures.changed({
	"tenant": {"rules": ["high_stakes_automated_decision"]},
	"request": {"purpose": "eligibility_determination", "autonomy": "operator_supervised"},
})

test_silent[note] if {
	some note, request in {
		"permitted": fixtures.permitted,
		"not selected": object.union(decided, {"tenant": {"rules": []}}),
		"a person decides": object.union(decided, {"request": {"autonomy": "recommend"}}),
		"other work of a program": fixtures.declared({"channel": "machine"}),
		"approved, a program decides": object.union(decided, {"request": {"autonomy": "none", "channel": "machine", "approval": fixtures.approval}}),
		"approved": object.union(decided, {"request": {"approval": fixtures.approval}}),
	}
	not rule.verdict with input as request
}

test_waits_at_every_stage[note] if {
	some case, request in {
		"it decides": decided,
		"a program decides": object.union(decided, {"request": {"autonomy": "none", "channel": "machine"}}),
		"nobody says who reads": object.union(decided, {"request": {"autonomy": "recommend", "channel": "unspecified"}}),
		"approved, for a purpose that nobody knows": object.union(decided, {"request": {"purpose": "judging", "approval": fixtures.approval}}),
		"a person decides, for a purpose that nobody knows": object.union(decided, {"request": {"purpose": "judging", "autonomy": "recommend"}}),
		"autonomy not stated": object.union(decided, {"request": {"autonomy": "unspecified"}}),
		"approved by the caller": object.union(decided, {"request": {"approval": object.union(fixtures.approval, {"approver": "analyst"})}}),
	}
	some stage, staged in fixtures.stages(request)
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as staged
}

test_waits_spoiled_facts[note] if {
	some pointer in ["/tenant", "/tenant/rules", "/request", "/request/purpose"]
	some note, request in fixtures.spoiled(decided, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_waits_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
