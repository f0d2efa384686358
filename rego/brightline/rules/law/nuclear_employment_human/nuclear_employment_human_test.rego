package brightline.rules.law.nuclear_employment_human_test

import data.brightline.rules.law.nuclear_employment_human as rule
import data.fixtures

refusal := {"effect": "deny", "id": "nuclear_employment_human"}

test_silent[note] if {
	some note, request in {
		"permitted": fixtures.permitted,
		"no tools": fixtures.declared({"tools": []}),
		"a weapon that is not nuclear": fixtures.declared({"tools": fixtures.tools("weapon")}),
		"another use of weapons": fixtures.declared({"purpose": "weapon_engagement"}),
		"below the threshold": fixtures.changed({"signals": {"nuclear_command": 499}}),
	}
	not rule.verdict with input as request
}

test_refuses_at_every_stage[note] if {
	some case, facts in {
		"declared": {"purpose": "nuclear_employment"},
		"tool": {"tools": fixtures.tools("nuclear")},
		"tool that is described as one": {"tools": fixtures.described("nuclear")},
		"tool that does not say": {"tools": fixtures.tools("unspecified")},
	}
	some stage, request in fixtures.stages(fixtures.declared(facts))
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_content_at_every_stage[note] if {
	some score in [500, null]
	some stage, request in fixtures.stages(fixtures.changed({"signals": {"nuclear_command": score}}))
	note := sprintf("%v, %v", [score, stage])
	fixtures.says(rule.verdict) == refusal with input as request
}

test_nothing_opens_it if {
	request := fixtures.declared({"purpose": "nuclear_employment", "tools": fixtures.tools("nuclear")})
	fixtures.says(rule.verdict) == refusal with input as object.union(request, fixtures.keys("nuclear_employment_human"))
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/request", "/request/purpose", "/request/tools", "/request/tools/0/effector"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
