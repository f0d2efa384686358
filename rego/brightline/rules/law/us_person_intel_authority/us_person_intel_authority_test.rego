package brightline.rules.law.us_person_intel_authority_test

import data.brightline.rules.law.us_person_intel_authority as rule
import data.fixtures

refusal := {"effect": "require_approval", "id": "us_person_intel_authority"}

asked := fixtures.declared({
	"purpose": "intelligence_analysis",
	"us_person": {"involved": "yes", "basis": "counterintelligence inquiry; open sources were not enough", "process_id": "ci-1"},
	"authority": fixtures.authority("EO 12333 2.4"),
	"approval": fixtures.approval,
})

test_silent[note] if {
	some note, request in {
		"another purpose": fixtures.permitted,
		"nobody of the United States": object.union(asked, {"request": {"us_person": {"involved": "no"}}}),
		"authority, basis and approval": asked,
	}
	not rule.verdict with input as request
}

test_waits_at_every_stage[note] if {
	some case, request in {
		"no approval": object.union(asked, {"request": {"approval": null}}),
		"approved by the caller": object.union(asked, {"request": {"approval": {"approver": "analyst"}}}),
		"no authority": object.union(asked, {"request": {"authority": null}}),
		"an authority that is over": object.union(asked, {"now": 1501}),
		"an authority for something else": object.union(asked, {"request": {"authority": {"citation": "18 USC 2518"}}}),
		"no basis": object.union(asked, {"request": {"us_person": {"basis": ""}}}),
		"not known whether, and not approved": object.union(asked, {"request": {"approval": null, "us_person": {"involved": "unknown"}}}),
		"not stated, and not approved": object.union(asked, {"request": {"approval": null, "us_person": {"involved": "unspecified"}}}),
	}
	some stage, staged in fixtures.stages(request)
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as staged
}

test_waits_spoiled_facts[note] if {
	some pointer in ["/request", "/request/purpose", "/request/authority", "/request/authority/citation", "/request/authority/expires", "/request/approval", "/now"]
	some note, request in fixtures.spoiled(asked, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_waits_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
