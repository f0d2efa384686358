package brightline.rules.law.military_domestic_law_enforcement_test

import data.brightline.rules.law.military_domestic_law_enforcement as rule
import data.fixtures

refusal := {"effect": "deny", "id": "military_domestic_law_enforcement"}

enforced := fixtures.changed({
	"tenant": {"kind": "dod"},
	"request": {"purpose": "law_enforcement", "geo": ["US"]},
})

test_silent[note] if {
	some note, request in {
		"permitted": fixtures.permitted,
		"another purpose of the military": fixtures.changed({"tenant": {"kind": "dod"}}),
		"abroad": object.union(enforced, {"request": {"geo": ["DE"]}}),
		"civil": object.union(enforced, {"tenant": {"kind": "civil"}}),
		"intelligence": object.union(enforced, {"tenant": {"kind": "intelligence"}}),
		"the police, citing an act for the military": object.union(enforced, {
			"tenant": {"kind": "law_enforcement"},
			"request": {"authority": fixtures.authority("10 USC 252")},
		}),
		"other work of the military, citing the act": object.union(enforced, {"request": {
			"purpose": "administrative",
			"authority": fixtures.authority("10 USC 252"),
		}}),
		"the police": object.union(enforced, {"tenant": {"kind": "law_enforcement"}}),
	}
	not rule.verdict with input as request
}

test_refuses_at_every_stage[note] if {
	some case, request in {
		"at home": enforced,
		"nobody says where": object.union(enforced, {"request": {"geo": []}}),
		"partly at home": object.union(enforced, {"request": {"geo": ["DE", "PR"]}}),
		"support to others' enforcement": object.union(enforced, {"request": {"purpose": "domestic_law_enforcement_support"}}),
		"support to others' enforcement, subject abroad": object.union(enforced, {"request": {
			"purpose": "domestic_law_enforcement_support",
			"geo": ["DE"],
		}}),
		"an authority that is no exception": object.union(enforced, {"request": {"authority": fixtures.authority("FRCP 41")}}),
		"an exception that is over": object.union(enforced, {"request": {"authority": fixtures.authority("10 USC 252")}, "now": 1501}),
		"an act, for a purpose that nobody knows": object.union(enforced, {"request": {
			"purpose": "policing",
			"authority": fixtures.authority("10 USC 252"),
		}}),
		"an act, for a kind of tenant that nobody knows": object.union(enforced, {
			"tenant": {"kind": "navy"},
			"request": {"authority": fixtures.authority("10 USC 252")},
		}),
		"an approval": object.union(enforced, {"request": {"approval": fixtures.approval}}),
	}
	some stage, staged in fixtures.stages(request)
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as staged
}

test_allows_and_records_what_a_statute_allows if {
	fixtures.says(rule.verdict) == {
		"effect": "allow",
		"id": "military_domestic_law_enforcement",
		"obligations": [{"kind": "record_authority", "params": {"text": "10 USC 252 / order-1"}}],
	} with input as object.union(enforced, {"request": {"authority": fixtures.authority("10 USC 252")}})
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/tenant", "/tenant/kind", "/request", "/request/purpose", "/request/geo"]
	some note, request in fixtures.spoiled(enforced, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
