package brightline.rules.directive.weapon_human_judgment_test

import data.brightline.rules.directive.weapon_human_judgment as rule
import data.fixtures

refusal := {"effect": "require_approval", "id": "weapon_human_judgment"}

# A nomination that another person approved.
approved := fixtures.declared({
	"purpose": "targeting_support",
	"approval": fixtures.approval,
})

tested := {"kind": "verification_validation", "id": "v-1", "expires": 1500}

# A weapon system that was verified and validated, for an engagement that another person approved.
verified := object.union(approved, {"request": {
	"purpose": "weapon_engagement",
	"tools": fixtures.tools("weapon"),
	"autonomy": "semi_autonomous",
	"evidence": [tested],
}})

test_silent[note] if {
	some note, request in {
		"nothing to do with weapons": fixtures.permitted,
		"approved": approved,
		"approved, no autonomy": object.union(approved, {"request": {"autonomy": "none"}}),
		"approved, the public reads": object.union(approved, {"request": {"channel": "public"}}),
		"verified and approved": verified,
		"verified and approved, a program acts": object.union(verified, {"request": {"channel": "machine"}}),
		"verified and approved, tool that does not say": object.union(verified, {"request": {"tools": fixtures.tools("unspecified")}}),
	}
	not rule.verdict with input as request
}

test_waits_for_approval_at_every_stage[note] if {
	some case, facts in {
		"nomination": {"purpose": "targeting_support"},
		"engagement": {"purpose": "weapon_engagement", "autonomy": "semi_autonomous"},
		"tool": {"tools": fixtures.tools("weapon")},
		"nuclear tool": {"tools": fixtures.tools("nuclear")},
		"tool that is described as a weapon's": {"tools": fixtures.described("weapon")},
		"tool that does not say": {"tools": fixtures.tools("unspecified")},
	}
	some stage, request in fixtures.stages(fixtures.declared(facts))
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as request
}

test_waits_for_the_proof_of_a_weapon[note] if {
	some note, facts in {
		"a tool of a weapon": {"request": {"autonomy": "recommend", "evidence": []}},
		"a program acts": {"request": {"tools": [], "autonomy": "none", "channel": "machine", "evidence": []}},
		"nobody says who reads": {"request": {"tools": [], "autonomy": "recommend", "channel": "unspecified", "evidence": []}},
		"it acts on its own": {"request": {"tools": [], "evidence": []}},
		"nobody says whether it acts": {"request": {"tools": [], "autonomy": "unspecified", "evidence": []}},
		"proof of something else": {"request": {"evidence": [object.union(tested, {"kind": "model_test"})]}},
		"proof that is over": {"now": 1501},
		"verified, not approved": {"request": {"approval": null}},
	}
	fixtures.says(rule.verdict) == refusal with input as object.union(verified, facts)
}

test_nobody_approves_themselves if {
	fixtures.says(rule.verdict) == refusal with input as object.union(approved, {"principal": {"subject": "colonel"}})
}

test_no_authority_or_exception_replaces_the_approval if {
	request := object.union(object.union(approved, fixtures.keys("weapon_human_judgment")), {"request": {"approval": null}})
	fixtures.says(rule.verdict) == refusal with input as request
}

test_waits_on_spoiled_approvals[note] if {
	some pointer in [
		"/principal",
		"/principal/subject",
		"/request",
		"/request/approval",
		"/request/approval/id",
		"/request/approval/approver",
		"/request/approval/digest",
	]
	some note, request in object.remove(fixtures.spoiled(approved, pointer), [
		`/principal/subject "odd"`,
		`/request/approval/id "odd"`,
		`/request/approval/approver "odd"`,
		`/request/approval/digest "odd"`,
	])
	fixtures.says(rule.verdict) == refusal with input as request
}

test_waits_on_spoiled_proof[note] if {
	some pointer in ["/request/evidence", "/request/evidence/0", "/request/evidence/0/kind", "/request/evidence/0/id", "/request/evidence/0/expires", "/now"]
	some note, request in object.remove(fixtures.spoiled(verified, pointer), [`/request/evidence/0/id "odd"`])
	fixtures.says(rule.verdict) == refusal with input as request
}

test_waits_on_spoiled_autonomy[note] if {
	some note, request in fixtures.spoiled(approved, "/request/autonomy")
	fixtures.says(rule.verdict) == refusal with input as request
}

test_waits_on_spoiled_facts[note] if {
	some pointer in ["/request/purpose", "/request/tools", "/request/tools/0/effector"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
