package brightline.rules.directive.weapon_human_judgment_test

import data.brightline.rules.directive.weapon_human_judgment as rule
import data.fixtures

refusal := {"effect": "require_approval", "id": "weapon_human_judgment"}

# Support to targeting that another person approved.
approved := fixtures.declared({
	"purpose": "targeting_support",
	"tools": fixtures.tools("weapon"),
	"approval": fixtures.approval,
})

test_silent[note] if {
	some note, request in {
		"nothing to do with weapons": fixtures.permitted,
		"approved": approved,
		"approved, tool that does not say": object.union(approved, {"request": {"tools": fixtures.tools("unspecified")}}),
	}
	not rule.verdict with input as request
}

test_waits_for_approval_at_every_stage[note] if {
	some case, facts in {
		"nomination": {"purpose": "targeting_support"},
		"engagement": {"purpose": "weapon_engagement", "autonomy": "semi_autonomous"},
		"tool": {"tools": fixtures.tools("weapon")},
		"nuclear tool": {"tools": fixtures.tools("nuclear")},
		"tool that does not say": {"tools": fixtures.tools("unspecified")},
	}
	some stage, request in fixtures.stages(fixtures.declared(facts))
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as request
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

test_waits_on_spoiled_facts[note] if {
	some pointer in ["/request/purpose", "/request/tools", "/request/tools/0/effector"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
