package brightline.rules.provider_baseline.region_and_ownership_test

import data.brightline.rules.provider_baseline.region_and_ownership as rule
import data.fixtures

refusal := {"effect": "deny", "id": "region_and_ownership"}

test_silent[note] if {
	some note, request in {
		"permitted": fixtures.permitted,
		"an ally": fixtures.changed({"tenant": {"region": "GB", "owners": ["GB", "US"]}}),
	}
	not rule.verdict with input as request
}

test_refuses_at_every_stage[note] if {
	some case, request in {
		"elsewhere": fixtures.changed({"tenant": {"region": "KP"}}),
		"owned from elsewhere": fixtures.changed({"tenant": {"owners": ["US", "KP"]}}),
		"an owner that is no list": fixtures.changed({"tenant": {"owners": "US"}}),
		"owned by nobody": fixtures.changed({"tenant": {"owners": []}}),
		"lower case": fixtures.changed({"tenant": {"region": "us"}}),
	}
	some stage, staged in fixtures.stages(request)
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as staged
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/tenant", "/tenant/region", "/tenant/owners"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
