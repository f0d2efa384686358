package brightline.rules.provider_baseline.weapons_design_test

import data.brightline.rules.provider_baseline.weapons_design as rule
import data.fixtures

refusal := {"effect": "deny", "id": "weapons_design"}

test_silent[note] if {
	some note, request in {
		"maintenance": fixtures.declared({"purpose": "maintenance"}),
		"support to an engagement is for other rules": fixtures.declared({"purpose": "weapon_engagement"}),
		"permitted": fixtures.permitted,
		"below the threshold": fixtures.changed({"signals": {"weapons_design": 499}}),
	}
	not rule.verdict with input as request
}

test_refuses_at_every_stage[note] if {
	some case, request in {
		"declared": fixtures.declared({"purpose": "weapons_engineering"}),
		"content": fixtures.changed({"signals": {"weapons_design": 500}}),
		"no detector": fixtures.changed({"signals": {"weapons_design": null}}),
	}
	some stage, staged in fixtures.stages(request)
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as staged
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/signals", "/signals/weapons_design", "/request", "/request/purpose"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
