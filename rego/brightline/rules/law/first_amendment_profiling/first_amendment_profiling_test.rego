package brightline.rules.law.first_amendment_profiling_test

import data.brightline.rules.law.first_amendment_profiling as rule
import data.fixtures

refusal := {"effect": "deny", "id": "first_amendment_profiling"}

profiled := fixtures.declared({"purpose": "expression_profiling", "us_person": {"involved": "yes"}})

test_silent[note] if {
	some note, request in {
		"permitted": fixtures.permitted,
		"below the threshold": fixtures.changed({"signals": {"protected_expression": 499}}),
		"abroad, no US persons": object.union(profiled, {"request": {"us_person": {"involved": "no"}, "geo": ["FR"]}}),
		"abroad, the content shows one, with the basis": object.union(profiled, {
			"request": {"us_person": {"involved": "no", "basis": "diplomatic list"}, "geo": ["FR"]},
			"signals": {"us_person": 500},
		}),
		"office work that cites an order": fixtures.declared({"authority": fixtures.authority("18 USC 2518")}),
		"office work that names other evidence": fixtures.declared({"evidence": [{"kind": "model_test", "id": "form-1", "expires": 1500}]}),
	}
	not rule.verdict with input as request
}

test_refuses_at_every_stage[note] if {
	some case, request in {
		"declared": profiled,
		"content": fixtures.changed({"signals": {"protected_expression": 500}}),
		"no detector": fixtures.changed({"signals": {"protected_expression": null}}),
		"no US persons, at home": object.union(profiled, {"request": {"us_person": {"involved": "no"}, "geo": ["US"]}}),
		"no US persons, nobody says where": object.union(profiled, {"request": {"us_person": {"involved": "no"}, "geo": []}}),
		"no US persons, abroad, and the content shows one": object.union(profiled, {
			"request": {"us_person": {"involved": "no"}, "geo": ["FR"]},
			"signals": {"us_person": 500},
		}),
		"abroad, not known who": object.union(profiled, {"request": {"us_person": {"involved": "unknown"}, "geo": ["FR"]}}),
		"no US persons, abroad, for a purpose that nobody knows": fixtures.declared({"purpose": "listing", "geo": ["FR"]}),
		"consent, for a purpose that nobody knows": fixtures.declared({
			"purpose": "listing",
			"evidence": [{"kind": "consent", "id": "form-1", "expires": 1500}],
		}),
		"another authority": object.union(profiled, {"request": {"authority": fixtures.authority("EO 12333 2.4")}}),
		"an order cited for office work": object.union(
			fixtures.declared({"authority": fixtures.authority("18 USC 2518")}),
			{"signals": {"protected_expression": 500}},
		),
		"an order cited for intelligence": object.union(
			fixtures.declared({"purpose": "counterintelligence", "authority": fixtures.authority("18 USC 2518")}),
			{"signals": {"protected_expression": 500}},
		),
		"an exception that is over": object.union(profiled, {"request": {"authority": fixtures.authority("18 USC 2518")}, "now": 1501}),
		"consent that is over": object.union(profiled, {"request": {"evidence": [{"kind": "consent", "id": "form-1", "expires": 999}]}}),
		"no detector, abroad, no US persons": object.union(profiled, {
			"request": {"us_person": {"involved": "no"}, "geo": ["FR"]},
			"signals": {"protected_expression": null},
		}),
		"no detector, with the person's consent": object.union(profiled, {
			"request": {"evidence": [{"kind": "consent", "id": "form-1", "expires": 1500}]},
			"signals": {"protected_expression": null},
		}),
		"no detector, under an order": object.union(profiled, {
			"request": {"authority": fixtures.authority("18 USC 2518")},
			"signals": {"protected_expression": null},
		}),
		"an approval": object.union(profiled, {"request": {"approval": fixtures.approval}}),
	}
	some stage, staged in fixtures.stages(request)
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as staged
}

# Also while nothing is heard yet: what has to be recorded is recorded before the answer.
test_allows_and_records_what_a_statute_allows[note] if {
	some case, request in {
		"declared": profiled,
		"law enforcement": fixtures.declared({"purpose": "law_enforcement"}),
		"support to law enforcement": fixtures.declared({"purpose": "domestic_law_enforcement_support"}),
	}
	some score in [0, 1000]
	some stage, staged in fixtures.stages(object.union(request, {
		"request": {"authority": fixtures.authority("18 USC 2518")},
		"signals": {"protected_expression": score},
	}))
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == {
		"effect": "allow",
		"id": "first_amendment_profiling",
		"obligations": [{"kind": "record_authority", "params": {"text": "18 USC 2518 / order-1"}}],
	} with input as staged
}

test_allows_and_records_what_the_person_allows[note] if {
	some case, request in {"declared": profiled, "office work": fixtures.permitted}
	some score in [0, 1000]
	some stage, staged in fixtures.stages(object.union(request, {
		"request": {"evidence": [{"kind": "consent", "id": "form-1", "expires": 1500}]},
		"signals": {"protected_expression": score},
	}))
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == {
		"effect": "allow",
		"id": "first_amendment_profiling",
		"obligations": [{"kind": "record_authority", "params": {"text": "consent / form-1"}}],
	} with input as staged
}

test_refuses_without_the_list_of_orders if {
	fixtures.says(rule.verdict) == refusal with input as fixtures.permitted
		with data.brightline.authorities as object.remove(data.brightline.authorities, ["expression"])
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/request", "/request/purpose", "/signals", "/signals/protected_expression"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
