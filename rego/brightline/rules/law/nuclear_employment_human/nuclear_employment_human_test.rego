package brightline.rules.law.nuclear_employment_human_test

import data.brightline.rules.law.nuclear_employment_human as rule
import data.fixtures

refusal := {
	"effect": "deny",
	"rule": {
		"scope": "package",
		"title": "Positive human action in nuclear employment",
		"description": "Nothing replaces positive human action in a decision to use nuclear weapons: neither that purpose nor a tool that could be part of it passes. The source is a statement of policy.\n",
		"custom": {
			"id": "nuclear_employment_human",
			"class": "law",
			"remedy": "No approval opens this. State what each tool can do, and leave out those that take part in nuclear employment.",
			"sources": [
				{"title": "FY25 NDAA §1638 (statement of policy)", "read": "first_hand"},
				{"title": "2022 Nuclear Posture Review", "read": "first_hand"},
			],
		},
	},
}

test_silent[note] if {
	some note, request in {
		"permitted": fixtures.permitted,
		"no tools": fixtures.declared({"tools": []}),
		"a weapon that is not nuclear": fixtures.declared({"tools": fixtures.tools("weapon")}),
		"another use of weapons": fixtures.declared({"purpose": "weapon_engagement"}),
	}
	not rule.verdict with input as request
}

test_refuses_at_every_stage[note] if {
	some case, facts in {
		"declared": {"purpose": "nuclear_employment"},
		"tool": {"tools": fixtures.tools("nuclear")},
		"tool that does not say": {"tools": fixtures.tools("unspecified")},
	}
	some stage, request in fixtures.stages(fixtures.declared(facts))
	note := concat(", ", [case, stage])
	rule.verdict == refusal with input as request
}

test_nothing_opens_it if {
	request := fixtures.declared({"purpose": "nuclear_employment", "tools": fixtures.tools("nuclear")})
	rule.verdict == refusal with input as object.union(request, fixtures.keys)
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/request", "/request/purpose", "/request/tools", "/request/tools/0/effector"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	rule.verdict == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	rule.verdict == refusal with input as request
}
