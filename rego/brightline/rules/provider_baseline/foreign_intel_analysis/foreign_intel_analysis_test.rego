package brightline.rules.provider_baseline.foreign_intel_analysis_test

import data.brightline.rules.provider_baseline.foreign_intel_analysis as rule
import data.fixtures

refusal := {"effect": "deny", "id": "foreign_intel_analysis"}

permission := {
	"effect": "allow",
	"id": "foreign_intel_analysis",
	"obligations": [
		{
			"kind": "oversight_label",
			"params": {"text": "Foreign intelligence analysis under a provider exception. Subject to oversight."},
		},
		{"kind": "record_authority", "params": {"text": "EO 12333 2.4 / order-1"}},
	],
	"grants": ["grant-foreign_intel_analysis"],
}

granted := fixtures.grant("foreign_intel_analysis")

# Analysis of foreign intelligence by a tenant with the exception, under an authority in force.
excepted := fixtures.changed({
	"tenant": {"grants": [granted]},
	"request": {"purpose": "foreign_intelligence_analysis", "authority": fixtures.authority("EO 12333 2.4")},
})

test_silent_on_other_purposes if not rule.verdict with input as fixtures.permitted

# The exception is granted, and the authority cited, for what the rule is not about.
test_silent_on_other_purposes_of_the_excepted if {
	not rule.verdict with input as object.union(excepted, {"request": {"purpose": "intelligence_analysis"}})
}

test_allows_and_obliges_at_every_stage[stage] if {
	some stage, request in fixtures.stages(excepted)
	fixtures.says(rule.verdict) == permission with input as request
}

test_allows_with_ratings_of_other_frameworks if {
	rated := {"model": {"levels": [{"framework": "FSF", "level": "CCL"}, {"framework": "RSP", "level": "ASL-2"}]}}
	fixtures.says(rule.verdict) == permission with input as object.union(excepted, rated)
}

test_allows_from_the_first_to_the_last_moment[now] if {
	some now in [500, 1500]
	fixtures.says(rule.verdict) == permission with input as object.union(excepted, {"now": now})
}

test_refuses[note] if {
	some note, facts in {
		"no grant": {"tenant": {"grants": []}},
		"a grant for another rule": {"tenant": {"grants": [fixtures.grant("foreign_intel")]}},
		"a grant that is over": {"tenant": {"grants": [object.union(granted, {"expires": 999})]}},
		"a grant to come": {"tenant": {"grants": [object.union(granted, {"not_before": 1001})]}},
		"a grant for another purpose": {"tenant": {"grants": [object.union(granted, {"purposes": ["translation"]})]}},
		"a model above the level": {"model": {"levels": [{"framework": "RSP", "level": "ASL-3"}]}},
		"a model rated twice": {"model": {"levels": [{"framework": "RSP", "level": "ASL-3"}, {"framework": "RSP", "level": "ASL-2"}]}},
		"a model that nobody rated": {"model": {"levels": []}},
		"a model rated by others alone": {"model": {"levels": [{"framework": "FSF", "level": "ASL-2"}]}},
		"no authority": {"request": {"authority": null}},
		"an authority for something else": {"request": {"authority": {"citation": "18 USC 2518"}}},
		"an authority with no identifier": {"request": {"authority": {"id": ""}}},
		"an authority with no end": {"request": {"authority": {"expires": 0}}},
		"an authority that is over": {"now": 1501},
		"an authority to come": {"now": 499},
	}
	fixtures.says(rule.verdict) == refusal with input as object.union(excepted, facts)
}

test_no_approval_opens_it if {
	request := object.union(excepted, {"tenant": {"grants": []}, "request": {"approval": fixtures.approval}})
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_without_the_label if {
	fixtures.says(rule.verdict) == refusal with input as excepted
		with data.brightline.labels as object.remove(data.brightline.labels, ["foreign_intelligence"])
}

test_refuses_spoiled_facts[note] if {
	some pointer in [
		"/tenant",
		"/tenant/grants",
		"/request",
		"/request/purpose",
		"/request/authority",
		"/request/authority/citation",
		"/request/authority/not_before",
		"/request/authority/expires",
		"/model",
		"/model/levels",
		"/now",
	]
	some note, request in fixtures.spoiled(excepted, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
