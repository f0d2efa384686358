package brightline.rules.directive.weapon_human_judgment_test

import data.brightline.rules.directive.weapon_human_judgment as rule
import data.fixtures

refusal := {
	"effect": "require_approval",
	"rule": {
		"scope": "package",
		"title": "Appropriate levels of human judgment over the use of force",
		"description": "Support to targeting or to a weapon waits for a named person's approval, which is where verification, validation and any senior review are referred to.\n",
		"custom": {
			"id": "weapon_human_judgment",
			"class": "directive",
			"remedy": "Obtain an approval by someone other than the caller, and send the request again with its identifier.",
			"sources": [{"title": "DoDD 3000.09 §1.2, §3, §4", "read": "first_hand"}],
		},
	},
}

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
	rule.verdict == refusal with input as request
}

test_nobody_approves_themselves if {
	rule.verdict == refusal with input as object.union(approved, {"principal": {"subject": "colonel"}})
}

test_no_authority_or_exception_replaces_the_approval if {
	request := object.union(object.union(approved, fixtures.keys), {"request": {"approval": null}})
	rule.verdict == refusal with input as request
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
	rule.verdict == refusal with input as request
}

test_waits_on_spoiled_facts[note] if {
	some pointer in ["/request/purpose", "/request/tools", "/request/tools/0/effector"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	rule.verdict == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	rule.verdict == refusal with input as request
}
