package brightline.rules.law.us_person_intel_authority_test

import data.brightline.rules.law.us_person_intel_authority as rule
import data.fixtures

refusal := {"effect": "require_approval", "id": "us_person_intel_authority"}

# Counterintelligence about a US person: an order of the court, the least intrusive means, an approval.
lawful := fixtures.declared({
	"purpose": "counterintelligence",
	"us_person": {"involved": "yes"},
	"authority": fixtures.authority("50 USC 1805"),
	"evidence": [{"kind": "least_intrusive_means", "id": "determination-1", "expires": 1500}],
	"approval": fixtures.approval,
})

# The same purpose with no paper at all.
bare := object.union(lawful, {"request": {"authority": null, "evidence": [], "approval": null}})

claiming(us_person, geo) := object.union(bare, {"request": {"us_person": us_person, "geo": geo}})

test_silent[note] if {
	some note, request in {
		"permitted": fixtures.permitted,
		"US persons, no intelligence": fixtures.declared({"us_person": {"involved": "yes"}}),
		"not stated, no intelligence": fixtures.declared({"us_person": {"involved": "unspecified"}}),
		"none, no place stated, with the basis": claiming({"involved": "no", "basis": "diplomatic list"}, []),
		"none, abroad": claiming({"involved": "no"}, ["FR", "DE"]),
		"none, in the US, with the basis": claiming({"involved": "no", "basis": "diplomatic list"}, ["US"]),
	}
	not rule.verdict with input as request
}

test_allows_and_records_at_every_stage[stage] if {
	some stage, request in fixtures.stages(lawful)
	fixtures.says(rule.verdict) == {
		"effect": "allow",
		"id": "us_person_intel_authority",
		"obligations": [{"kind": "record_authority", "params": {"text": "50 USC 1805 / order-1"}}],
	} with input as request
}

# The answer may show a US person where the request showed none, and then it is too late to record anything.
test_records_before_a_us_person_is_seen[note] if {
	abroad := object.union(lawful, {"request": {"us_person": {"involved": "no"}, "geo": ["FR"]}})
	some score in [0, 499, 500, 1000]
	some stage, request in fixtures.stages(object.union(abroad, {"signals": {"us_person": score}}))
	note := sprintf("%v, %v", [score, stage])
	fixtures.says(rule.verdict) == {
		"effect": "allow",
		"id": "us_person_intel_authority",
		"obligations": [{"kind": "record_authority", "params": {"text": "50 USC 1805 / order-1"}}],
	} with input as request
}

test_waits_without_the_list_of_orders if {
	abroad := object.union(lawful, {"request": {"us_person": {"involved": "no"}, "geo": ["FR"]}})
	fixtures.says(rule.verdict) == refusal with input as abroad
		with data.brightline.authorities as object.remove(data.brightline.authorities, ["us_person_intelligence"])
}

test_allows[note] if {
	some note, facts in {
		"the first moment": {"now": 500},
		"the last moment": {"now": 1500},
		"foreign intelligence": {"request": {"purpose": "foreign_intelligence_analysis"}},
		"not known whether": {"request": {"us_person": {"involved": "unknown"}}},
		"procedures": {"request": {"authority": {"citation": "DoDM 5240.01"}}},
	}
	rule.verdict.effect == "allow" with input as object.union(lawful, facts)
}

test_waits_at_every_stage[note] if {
	some case, facts in {
		"no authority": {"request": {"authority": null}},
		"an authority for something else": {"request": {"authority": {"citation": "18 USC 2518"}}},
		"an authority that is not named": {"request": {"authority": {"id": ""}}},
		"an authority without an end": {"request": {"authority": {"expires": 0}}},
		"an authority that is over": {"request": {"authority": {"expires": 999}}},
		"an authority to come": {"request": {"authority": {"not_before": 1001}}},
		"neither foreign nor counter": {"request": {"purpose": "intelligence_analysis"}},
		"means not determined": {"request": {"evidence": []}},
		"other evidence": {"request": {"evidence": [{"kind": "consent", "id": "c", "expires": 1500}]}},
		"a determination that is over": {"request": {"evidence": [{"kind": "least_intrusive_means", "id": "d", "expires": 999}]}},
		"no approval": {"request": {"approval": null}},
		"approved by the caller": {"request": {"approval": {"approver": "analyst"}}},
		"not known whether, not approved": {"request": {"approval": null, "us_person": {"involved": "unknown"}}},
		"not stated, not approved": {"request": {"approval": null, "us_person": {"involved": "unspecified"}}},
		"none, no place stated": {"request": {"approval": null, "us_person": {"involved": "no"}, "geo": []}},
		"none, in the US": {"request": {"approval": null, "us_person": {"involved": "no"}, "geo": ["FR", "US"]}},
		"none, in a territory": {"request": {"approval": null, "us_person": {"involved": "no"}, "geo": ["GU"]}},
		"none, in lower case": {"request": {"approval": null, "us_person": {"involved": "no"}, "geo": ["fr"]}},
		"none, with more letters": {"request": {"approval": null, "us_person": {"involved": "no"}, "geo": ["FRA"]}},
	}
	some stage, request in fixtures.stages(object.union(lawful, facts))
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as request
}

# So the remedy names the purpose: who asks for an approval alone would wait in vain.
test_says_that_the_purpose_is_missing if {
	verdict := rule.verdict with input as object.union(lawful, {"request": {"purpose": "intelligence_analysis"}})
	contains(verdict.rule.custom.remedy, "a purpose of foreign intelligence or counterintelligence")
}

test_waits_whatever_is_granted if {
	request := object.union(bare, {"tenant": {"grants": [fixtures.grant("us_person_intel_authority")]}})
	fixtures.says(rule.verdict) == refusal with input as request
}

test_waits_on_spoiled_facts[note] if {
	some pointer in [
		"/request",
		"/request/purpose",
		"/request/authority",
		"/request/authority/citation",
		"/request/authority/expires",
		"/request/evidence",
		"/request/evidence/0",
		"/request/evidence/0/kind",
		"/request/approval",
		"/now",
	]
	some note, request in fixtures.spoiled(lawful, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_waits_on_spoiled_claims[note] if {
	some pointer in ["/request/us_person", "/request/us_person/involved", "/request/geo", "/request/geo/0"]
	claimed := claiming({"involved": "no"}, ["FR"])
	some note, request in fixtures.spoiled(claimed, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_waits_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}

test_silent_where_the_content_shows_none[note] if {
	some note, request in {
		"below": object.union(claiming({"involved": "no"}, ["FR"]), {"signals": {"us_person": 499}}),
		"with the basis": object.union(claiming({"involved": "no", "basis": "diplomatic list"}, ["FR"]), {"signals": {"us_person": 900}}),
	}
	not rule.verdict with input as request
}

test_waits_where_the_content_shows_a_us_person[note] if {
	some score in [500, null]
	some stage, request in fixtures.stages(object.union(claiming({"involved": "no"}, ["FR"]), {"signals": {"us_person": score}}))
	note := sprintf("%v, %v", [score, stage])
	fixtures.says(rule.verdict) == refusal with input as request
}
