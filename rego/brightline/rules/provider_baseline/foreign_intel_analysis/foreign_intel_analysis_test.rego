package brightline.rules.provider_baseline.foreign_intel_analysis_test

import data.brightline.rules.provider_baseline.foreign_intel_analysis as rule
import data.fixtures

refusal := {
	"effect": "deny",
	"rule": {
		"scope": "package",
		"title": "Foreign intelligence analysis under an exception",
		"description": "A tenant whose contract has the exception may analyse foreign intelligence under an authority that is in force; the authority is recorded and the answer carries an oversight label. For everyone else the purpose is refused.\n",
		"custom": {
			"id": "foreign_intel_analysis",
			"class": "provider_baseline",
			"remedy": "Cite an authority with its identifier and period. If your contract lacks the exception, ask the provider for it.",
			"sources": [{"title": "Provider usage policy exceptions page, 16 Mar 2026", "read": "first_hand"}],
		},
	},
}

permission := {
	"effect": "allow",
	"rule": refusal.rule,
	"obligations": [
		{
			"kind": "oversight_label",
			"params": {"text": "Foreign intelligence analysis under a provider exception. Subject to oversight."},
		},
		{"kind": "record_authority", "params": {"text": "EO 12333 2.4 / order-1"}},
	],
	"grants": ["foreign_intel_analysis"],
}

# Analysis of foreign intelligence by a tenant with the exception, under an authority in force.
excepted := fixtures.changed({
	"tenant": {"exceptions": ["foreign_intel_analysis"]},
	"request": {"purpose": "foreign_intelligence_analysis", "authority": fixtures.authority("EO 12333 2.4")},
})

test_silent_on_other_purposes if not rule.verdict with input as fixtures.permitted

test_allows_and_obliges_at_every_stage[stage] if {
	some stage, request in fixtures.stages(excepted)
	rule.verdict == permission with input as request
}

test_allows_from_the_first_to_the_last_moment[now] if {
	some now in [500, 1500]
	rule.verdict == permission with input as object.union(excepted, {"now": now})
}

test_refuses[note] if {
	some note, facts in {
		"no exception": {"tenant": {"exceptions": []}},
		"another exception": {"tenant": {"exceptions": ["foreign_intel"]}},
		"no authority": {"request": {"authority": null}},
		"an authority for something else": {"request": {"authority": {"citation": "18 USC 2518"}}},
		"an authority with no identifier": {"request": {"authority": {"id": ""}}},
		"an authority with no end": {"request": {"authority": {"expires": 0}}},
		"an authority that is over": {"now": 1501},
		"an authority to come": {"now": 499},
	}
	rule.verdict == refusal with input as object.union(excepted, facts)
}

test_no_approval_opens_it if {
	request := object.union(excepted, {"tenant": {"exceptions": []}, "request": {"approval": fixtures.approval}})
	rule.verdict == refusal with input as request
}

test_refuses_spoiled_facts[note] if {
	some pointer in [
		"/tenant",
		"/tenant/exceptions",
		"/request",
		"/request/purpose",
		"/request/authority",
		"/request/authority/citation",
		"/request/authority/not_before",
		"/request/authority/expires",
		"/now",
	]
	some note, request in fixtures.spoiled(excepted, pointer)
	rule.verdict == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	rule.verdict == refusal with input as request
}
