package brightline.rules.red_line.cbrn_uplift_test

import data.brightline.rules.red_line.cbrn_uplift as rule
import data.fixtures

refusal := {"effect": "deny", "id": "cbrn_uplift"}

above := [{"framework": "RSP", "level": "ASL-3"}]

test_silent[note] if {
	some note, request in {
		"permitted": fixtures.permitted,
		"below the threshold, base model": fixtures.changed({"signals": {"cbrn": 499}}),
		"below the strict limit, higher model": fixtures.changed({"signals": {"cbrn": 299}, "model": {"levels": above}}),
		"quiet, no model known": fixtures.changed({"model": null}),
	}
	not rule.verdict with input as request
}

test_refuses_at_every_stage[note] if {
	some case, request in {
		"content": fixtures.changed({"signals": {"cbrn": 500}}),
		"content with a higher model": fixtures.changed({"signals": {"cbrn": 300}, "model": {"levels": above}}),
		"content and no level": fixtures.changed({"signals": {"cbrn": 300}, "model": {"levels": []}}),
		"content and an unknown model": fixtures.changed({"signals": {"cbrn": 300}, "model": null}),
		"no detector": fixtures.changed({"signals": {"cbrn": null}}),
	}
	some stage, staged in fixtures.stages(request)
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as staged
}

test_nothing_opens_it[note] if {
	some note, request in {
		"content": fixtures.changed({"signals": {"cbrn": 500}}),
		"content with a higher model": fixtures.changed({"signals": {"cbrn": 300}, "model": {"levels": above}}),
		"content and no level": fixtures.changed({"signals": {"cbrn": 300}, "model": {"levels": []}}),
		"content and an unknown model": fixtures.changed({"signals": {"cbrn": 300}, "model": null}),
		"no detector": fixtures.changed({"signals": {"cbrn": null}}),
	}
	fixtures.says(rule.verdict) == refusal with input as object.union(request, fixtures.keys("cbrn_uplift"))
}

# A threshold may be signed that is below the strict limit: for everybody, or for a kind of tenants.
test_refuses_from_a_threshold_below_the_strict_limit if {
	loud := fixtures.changed({"signals": {"cbrn": 200}})
	not rule.verdict with input as fixtures.changed({"signals": {"cbrn": 199}})
		with data.brightline.thresholds.cbrn as 200
	fixtures.says(rule.verdict) == refusal with input as loud
		with data.brightline.thresholds.cbrn as 200
	fixtures.says(rule.verdict) == refusal with input as loud
		with data.brightline.tenant_thresholds.civil as {"cbrn": 200}
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/signals", "/signals/cbrn"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
