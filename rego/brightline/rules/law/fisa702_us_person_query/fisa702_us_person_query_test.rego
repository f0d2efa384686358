package brightline.rules.law.fisa702_us_person_query_test

import data.brightline.rules.law.fisa702_us_person_query as rule
import data.fixtures

refusal := {"effect": "deny", "id": "fisa702_us_person_query"}

permission := {
	"effect": "allow",
	"id": "fisa702_us_person_query",
	"obligations": [{"kind": "record_authority", "params": {"text": "50 USC 1881a / order-1"}}],
}

queried := fixtures.declared({
	"purpose": "fisa702_query",
	"us_person": {"involved": "yes", "basis": "", "process_id": "query-1"},
	"authority": fixtures.authority("50 USC 1881a"),
})

test_silent[note] if {
	some note, request in {
		"another purpose": fixtures.permitted,
		"another purpose and authority": fixtures.declared({
			"us_person": {"involved": "yes"},
			"authority": fixtures.authority("50 USC 1805"),
		}),
		"cited for another purpose": object.union(queried, {"request": {"purpose": "law_enforcement"}}),
		"cited for another purpose, about foreigners": object.union(queried, {"request": {
			"purpose": "counterintelligence",
			"us_person": {"involved": "no"},
			"geo": ["FR"],
		}}),
		"nobody of the United States": object.union(queried, {"request": {
			"us_person": {"involved": "no", "basis": "diplomatic list"},
			"authority": null,
		}}),
		"nobody of the United States, abroad": object.union(queried, {"request": {
			"us_person": {"involved": "no", "basis": ""},
			"geo": ["FR"],
			"authority": null,
		}}),
	}
	not rule.verdict with input as request
}

test_refuses_at_every_stage[note] if {
	some case, request in {
		"no certification": object.union(queried, {"request": {"authority": null}}),
		"another authority": object.union(queried, {"request": {"authority": {"citation": "EO 12333 2.4"}}}),
		"a certification without identifier": object.union(queried, {"request": {"authority": {"id": ""}}}),
		"a certification that is over": object.union(queried, {"now": 1501}),
		"a certification to come": object.union(queried, {"now": 499}),
		"a certification without an end": object.union(queried, {"request": {"authority": {"expires": 0}}}),
		"no query approval": object.union(queried, {"request": {"us_person": {"process_id": ""}}}),
		"an approval by a person instead": object.union(queried, {"request": {"approval": fixtures.approval, "authority": null}}),
		"not stated whether": object.union(queried, {"request": {"us_person": {"involved": "unspecified", "process_id": ""}}}),
		"none, no place stated, without the basis": object.union(queried, {"request": {"us_person": {
			"involved": "no",
			"basis": "",
			"process_id": "",
		}}}),
		"none, abroad, and the content shows one": object.union(queried, {
			"request": {"us_person": {"involved": "no", "basis": "", "process_id": ""}, "geo": ["FR"], "authority": null},
			"signals": {"us_person": 500},
		}),
		"none, in the US, without the basis": object.union(queried, {"request": {
			"us_person": {"involved": "no", "basis": "", "process_id": ""},
			"geo": ["US"],
		}}),
	}
	some stage, staged in fixtures.stages(request)
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as staged
}

test_allows_and_records_at_every_stage[stage] if {
	some stage, request in fixtures.stages(queried)
	fixtures.says(rule.verdict) == permission with input as request
}

# The answer may show a US person where the request showed none.
test_records_before_a_us_person_is_seen[note] if {
	abroad := object.union(queried, {"request": {"us_person": {"involved": "no"}, "geo": ["FR"]}})
	some score in [0, 1000]
	some stage, request in fixtures.stages(object.union(abroad, {"signals": {"us_person": score}}))
	note := sprintf("%v, %v", [score, stage])
	fixtures.says(rule.verdict) == permission with input as request
}

test_allows_from_the_first_to_the_last_moment[now] if {
	some now in [500, 1500]
	fixtures.says(rule.verdict) == permission with input as object.union(queried, {"now": now})
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/request", "/request/purpose", "/request/authority", "/request/authority/citation", "/request/authority/expires", "/now"]
	some note, request in fixtures.spoiled(queried, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
