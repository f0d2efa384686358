package brightline.rules.provider_baseline.influence_disinformation_test

import data.brightline.rules.provider_baseline.influence_disinformation as rule
import data.fixtures

refusal := {"effect": "deny", "id": "influence_disinformation"}

test_silent[note] if {
	some note, request in {
		"below the strict limit, in public": fixtures.changed({"request": {"channel": "public"}, "signals": {"influence_operations": 299}}),
		"permitted": fixtures.permitted,
		"below the threshold": fixtures.changed({"signals": {"influence_operations": 499}}),
		"below the threshold, other offices": fixtures.changed({"request": {"channel": "interagency"}, "signals": {"influence_operations": 499}}),
	}
	not rule.verdict with input as request
}

test_refuses_at_every_stage[note] if {
	some case, request in {
		"declared": fixtures.declared({"purpose": "influence_operations"}),
		"in public": fixtures.changed({"request": {"channel": "public"}, "signals": {"influence_operations": 300}}),
		"abroad": fixtures.changed({"request": {"channel": "foreign"}, "signals": {"influence_operations": 300}}),
		"nobody says where": fixtures.changed({"request": {"channel": "unspecified"}, "signals": {"influence_operations": 300}}),
		"content": fixtures.changed({"signals": {"influence_operations": 500}}),
		"no detector": fixtures.changed({"signals": {"influence_operations": null}}),
	}
	some stage, staged in fixtures.stages(request)
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as staged
}

# A threshold may be signed that is below the strict limit: for everybody, or for a kind of tenants.
test_refuses_from_a_threshold_below_the_strict_limit if {
	loud := fixtures.changed({"signals": {"influence_operations": 200}})
	not rule.verdict with input as fixtures.changed({"signals": {"influence_operations": 199}})
		with data.brightline.thresholds.influence_operations as 200
	fixtures.says(rule.verdict) == refusal with input as loud
		with data.brightline.thresholds.influence_operations as 200
	fixtures.says(rule.verdict) == refusal with input as loud
		with data.brightline.tenant_thresholds.civil as {"influence_operations": 200}
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/signals", "/signals/influence_operations", "/request", "/request/purpose"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
