package brightline.rules.red_line.us_person_mass_surveillance_test

import data.brightline.rules.red_line.us_person_mass_surveillance as rule
import data.fixtures

refusal := {"effect": "deny", "id": "us_person_mass_surveillance"}

# A narrow look at named US persons under an order that is in force.
narrow := fixtures.declared({
	"purpose": "law_enforcement",
	"us_person": {"involved": "yes"},
	"volume": {"persons": 3},
	"authority": fixtures.authority("18 USC 2518"),
})

# Many people are looked at there who are said to be no US persons.
watched(geo) := fixtures.declared({"purpose": "law_enforcement", "geo": geo, "volume": {"persons": 26}})

test_silent[note] if {
	some note, request in {
		"no US persons": fixtures.permitted,
		"no US persons, in the US": fixtures.declared({"geo": ["US"]}),
		"no US persons, many abroad": fixtures.declared({"geo": ["FR", "DE"], "volume": {"persons": 1000000}}),
		"no US persons, bought, abroad": fixtures.declared({"geo": ["FR"], "data_origin": "commercial"}),
		"no US persons, few": fixtures.declared({"geo": ["US"], "data_origin": "commercial", "volume": {"persons": 25}}),
		"few, general purpose": fixtures.declared({"us_person": {"involved": "yes"}, "volume": {"persons": 25}}),
		"few, not known whether": fixtures.declared({"us_person": {"involved": "unknown"}, "volume": {"persons": 1}}),
		"own records": fixtures.declared({
			"us_person": {"involved": "yes"},
			"data_origin": "agency_records",
			"volume": {"persons": 1000},
		}),
		"below the threshold": fixtures.changed({"signals": {"domestic_surveillance": 499}}),
		"looked at abroad, number left out": fixtures.declared({"purpose": "law_enforcement", "geo": ["FR"]}),
		"looked at, few": fixtures.declared({"purpose": "law_enforcement", "volume": {"persons": 25}}),
		"no US persons, many, looked at for nothing": fixtures.declared({"geo": ["US"], "volume": {"persons": 1000000}}),
		"looked at, few, the content shows some": object.union(
			fixtures.declared({"purpose": "law_enforcement", "volume": {"persons": 25}}),
			{"signals": {"us_person": 1000}},
		),
		"no US persons, published": fixtures.declared({"data_origin": "public"}),
		"no US persons, aimed at": fixtures.declared({"purpose": "targeting_support"}),
		"no US persons, few aimed at who were bought": fixtures.declared({
			"purpose": "targeting_support",
			"data_origin": "commercial",
			"volume": {"persons": 25},
		}),
		"few, a tool that moves": fixtures.declared({
			"us_person": {"involved": "yes"},
			"volume": {"persons": 25},
			"tools": fixtures.tools("physical"),
		}),
	}
	not rule.verdict with input as request
}

test_refuses[note] if {
	some note, request in {
		"declared purpose": fixtures.declared({"purpose": "domestic_monitoring"}),
		"declared purpose, few": fixtures.declared({"purpose": "domestic_monitoring", "volume": {"persons": 1}}),
		"involved, number not stated": fixtures.declared({"us_person": {"involved": "yes"}}),
		"not stated whether": fixtures.declared({"us_person": {"involved": "unspecified"}}),
		"not known whether": fixtures.declared({"us_person": {"involved": "unknown"}}),
		"many": fixtures.declared({"us_person": {"involved": "yes"}, "data_origin": "public", "volume": {"persons": 26}}),
		"many abroad": fixtures.declared({"us_person": {"involved": "yes"}, "geo": ["FR"], "data_origin": "public", "volume": {"persons": 26}}),
		"many of the agency's own": fixtures.declared({
			"us_person": {"involved": "yes"},
			"data_origin": "agency_records",
			"volume": {"persons": 1001},
		}),
		"own records, watched": fixtures.declared({
			"purpose": "law_enforcement",
			"us_person": {"involved": "yes"},
			"data_origin": "agency_records",
			"volume": {"persons": 2},
		}),
		"bought, number not stated": fixtures.declared({"data_origin": "commercial"}),
		"number and origin not stated": fixtures.declared({"data_origin": "unspecified"}),
		"many whose origin is not stated": fixtures.declared({"data_origin": "unspecified", "volume": {"persons": 26}}),
		"none said, looked at, nobody knows where": fixtures.declared({"purpose": "law_enforcement"}),
		"none said, looked at in the US": fixtures.declared({"purpose": "law_enforcement", "geo": ["US"]}),
		"none said, looked at in a place that nobody knows": fixtures.declared({"purpose": "law_enforcement", "geo": ["XX"]}),
		"bought, in the US": fixtures.declared({"geo": ["US"], "data_origin": "commercial"}),
		"none said, many in the US": watched(["FR", "US"]),
		"none said, many in a territory": watched(["PR"]),
		"none said, many nobody knows where": watched([]),
		"none said, place in lower case": watched(["us"]),
		"none said, place with more letters": watched(["USA"]),
		"narrow, then many": object.union(narrow, {"request": {"volume": {"persons": 26}}}),
		"narrow, then no authority": object.union(narrow, {"request": {"authority": null}}),
		"narrow, another authority": object.union(narrow, {"request": {"authority": {"citation": "18 USC 2519"}}}),
		"narrow, expired": object.union(narrow, {"now": 1501}),
		"narrow, not yet": object.union(narrow, {"now": 499}),
		"narrow, order not named": object.union(narrow, {"request": {"authority": {"id": ""}}}),
		"narrow, no end stated": object.union(narrow, {"request": {"authority": {"expires": 0}}}),
	}
	fixtures.says(rule.verdict) == refusal with input as request
}

# One request for each way in which it is harmless, and for no other.
alone := {
	"no US persons": fixtures.declared({"purpose": "law_enforcement", "geo": ["FR"], "volume": {"persons": 26}}),
	"few": fixtures.declared({"us_person": {"involved": "yes"}, "data_origin": "commercial", "volume": {"persons": 25}}),
	"own records": fixtures.declared({"us_person": {"involved": "yes"}, "volume": {"persons": 26}}),
	"named subjects under an order": narrow,
}

test_silent_below_the_threshold[note] if {
	some note, request in object.remove(alone, ["named subjects under an order"])
	not rule.verdict with input as object.union(request, {"signals": {"domestic_surveillance": 499}})
}

test_allows_and_records_below_the_threshold if {
	request := object.union(narrow, {"signals": {"domestic_surveillance": 499}})
	fixtures.says(rule.verdict) == recorded("18 USC 2518 / order-1") with input as request
}

recorded(paper) := {
	"effect": "allow",
	"id": "us_person_mass_surveillance",
	"obligations": [{"kind": "record_authority", "params": {"text": paper}}],
}

# One named US person, for this purpose, under this order.
one(purpose, citation) := fixtures.declared({
	"purpose": purpose,
	"us_person": {"involved": "yes"},
	"volume": {"persons": 1},
	"authority": fixtures.authority(citation),
})

consented := object.union(one("expression_profiling", "none"), {"request": {"evidence": [{
	"kind": "consent",
	"id": "consent-1",
	"expires": 1500,
}]}})

# Each paper opens the work that it is for.
for_its_work := {
	["law_enforcement", "18 USC 2518", "civil"],
	["law_enforcement", "FRCP 41", "law_enforcement"],
	["person_tracking", "FRCP 41", "civil"],
	["expression_profiling", "18 USC 2518", "civil"],
	["counterintelligence", "50 USC 1805", "intelligence"],
	["foreign_intelligence_analysis", "50 USC 1805", "intelligence"],
	["fisa702_query", "50 USC 1881a", "intelligence"],
	["law_enforcement", "10 USC 252", "dod"],
	["domestic_law_enforcement_support", "10 USC 282", "dod"],
}

test_allows_and_records_under_a_paper_for_the_work[note] if {
	some [purpose, citation, kind] in for_its_work
	some stage, request in fixtures.stages(object.union(one(purpose, citation), {"tenant": {"kind": kind}}))
	note := concat(", ", [purpose, citation, stage])
	paper := concat(" / ", [citation, "order-1"])
	fixtures.says(rule.verdict) == recorded(paper) with input as request
}

test_allows_and_records_consent[stage] if {
	some stage, request in fixtures.stages(consented)
	fixtures.says(rule.verdict) == recorded("consent / consent-1") with input as request
}

# Beside a weapon no paper permits anything, but a later call of a harmless tool alone rests on it.
test_records_whatever_the_tools_are[note] if {
	some effector in ["read_only", "weapon"]
	some stage, request in fixtures.stages(object.union(one("law_enforcement", "18 USC 2518"), {"request": {
		"us_person": {"involved": "no"},
		"geo": ["FR"],
		"tools": fixtures.tools(effector),
	}}))
	note := concat(", ", [effector, stage])
	fixtures.says(rule.verdict) == recorded("18 USC 2518 / order-1") with input as request
}

test_refuses_under_a_paper_for_other_work[note] if {
	some [purpose, citation] in [
		["law_enforcement", "50 USC 1805"],
		["law_enforcement", "10 USC 252"],
		["counterintelligence", "18 USC 2518"],
		["counterintelligence", "EO 12333 2.4"],
		["emotion_inference", "18 USC 2518"],
		["targeting_support", "50 USC 1805"],
		["targeting_support", "18 USC 2518"],
		["domestic_monitoring", "FRCP 41"],
	]
	note := concat(", ", [purpose, citation])
	fixtures.says(rule.verdict) == refusal with input as one(purpose, citation)
}

# An act that gives the military a part in law enforcement opens no other work, and no other paper opens that part.
test_refuses_the_military_under_a_paper_for_other_work[note] if {
	some [purpose, citation] in [
		["person_tracking", "10 USC 252"],
		["expression_profiling", "10 USC 252"],
		["counterintelligence", "10 USC 252"],
		["law_enforcement", "10 USC 275"],
		["law_enforcement", "50 USC 1805"],
		["domestic_law_enforcement_support", "DoDM 5240.01"],
	]
	note := concat(", ", [purpose, citation])
	request := object.union(one(purpose, citation), {"tenant": {"kind": "dod"}})
	fixtures.says(rule.verdict) == refusal with input as request
}

test_silent_by_origin[note] if {
	some case, facts in {
		"aimed at, the content shows none": [{"purpose": "targeting_support"}, 499],
		"office work, the content shows some": [{"volume": {"persons": 1000}}, 1000],
	}
	some origin in ["agency_records", "public", "intelligence", "partner", "synthetic"]
	note := concat(", ", [case, origin])
	[declared, score] := facts
	request := object.union(fixtures.declared(object.union(declared, {"data_origin": origin})), {"signals": {"us_person": score}})
	not rule.verdict with input as request
}

test_refuses_by_origin[note] if {
	some case, facts in {
		"aimed at, the content shows some": [{"purpose": "targeting_support"}, 500, ["agency_records", "public", "synthetic"]],
		"aimed at, bought": [{"purpose": "targeting_support"}, 0, ["commercial", "unspecified"]],
		"office work, many shown": [{"volume": {"persons": 1001}}, 1000, ["public", "intelligence", "partner", "commercial"]],
	}
	[declared, score, origins] := facts
	some origin in origins
	note := concat(", ", [case, origin])
	request := object.union(fixtures.declared(object.union(declared, {"data_origin": origin})), {"signals": {"us_person": score}})
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_where_consent_is_none[note] if {
	some note, facts in {
		"over": {"now": 1501},
		"to law enforcement": {"request": {"purpose": "law_enforcement"}},
		"of many": {"request": {"volume": {"persons": 26}}},
		"without its name": {"request": {"evidence": [{"kind": "consent", "id": "-", "expires": 1500}]}},
	}
	fixtures.says(rule.verdict) == refusal with input as object.union(consented, facts)
}

# Who aims at people looks at them, and there is no paper for it.
aimed := fixtures.declared({
	"purpose": "targeting_support",
	"us_person": {"involved": "yes"},
	"volume": {"persons": 1},
	"approval": fixtures.approval,
})

test_refuses_to_aim_at_us_persons[note] if {
	some case, facts in {
		"one": {},
		"not known whether": {"request": {"us_person": {"involved": "unknown"}}},
		"own records": {"request": {"data_origin": "agency_records"}},
		"engaged": {"request": {"purpose": "weapon_engagement"}},
		"harm estimated": {"request": {"purpose": "collateral_damage_estimation"}},
		"with a weapon, for another purpose": {"request": {"purpose": "administrative", "tools": fixtures.tools("weapon")}},
		"with what may be one": {"request": {"purpose": "administrative", "tools": fixtures.tools("unspecified")}},
		"with what is described as one": {"request": {"purpose": "administrative", "tools": fixtures.described("weapon")}},
		"with a weapon, under an order": {"request": {
			"purpose": "law_enforcement",
			"tools": fixtures.tools("weapon"),
			"authority": fixtures.authority("FRCP 41"),
		}},
	}
	some stage, request in fixtures.stages(object.union(aimed, facts))
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as request
}

# Where force may be used, the content has its say about few, and a basis about many abroad alone.
shown_aimed(facts) := object.union(
	object.union(aimed, {
		"request": {"us_person": {"involved": "no"}, "geo": ["US"], "volume": {"persons": null}},
		"signals": {"us_person": 500},
	}),
	{"request": facts},
)

test_refuses_to_aim_where_the_content_shows_us_persons[note] if {
	some note, facts in {
		"many": {"volume": {"persons": 1000000}, "data_origin": "intelligence"},
		"few": {"volume": {"persons": 1}},
		"nothing stated": {"geo": []},
		"a basis for many": {"us_person": {"basis": "officers of another state"}},
	}
	fixtures.says(rule.verdict) == refusal with input as shown_aimed(facts)
}

test_silent_where_a_basis_says_who_is_aimed_at[note] if {
	some note, facts in {
		"abroad": {"geo": ["SY"], "us_person": {"basis": "officers of another state"}},
		"few": {"volume": {"persons": 1}, "us_person": {"basis": "officers of another state"}},
	}
	not rule.verdict with input as shown_aimed(facts)
}

# Office work in which the content shows US persons.
shown_office(facts) := object.union(fixtures.declared({"geo": ["US"]}), {
	"request": facts,
	"signals": {"us_person": 1000},
})

test_silent_where_the_agency_has_them_or_something_speaks_for_it[note] if {
	some note, facts in {
		"own records": {"data_origin": "agency_records"},
		"nobody": {"data_origin": "synthetic"},
		"published, the basis": {"data_origin": "public", "us_person": {"basis": "the publisher's address"}},
		"published, abroad": {"data_origin": "public", "geo": ["FR"]},
		"published by a thousand": {"data_origin": "public", "volume": {"persons": 1000}},
	}
	not rule.verdict with input as shown_office(facts)
}

test_refuses_where_others_have_them_in_bulk[note] if {
	some origin in ["public", "partner", "intelligence", "commercial", "unspecified"]
	some case, facts in {
		"many": {"volume": {"persons": 1001}},
		"number left out": {},
		"place left out": {"geo": []},
	}
	note := concat(", ", [origin, case])
	fixtures.says(rule.verdict) == refusal with input as shown_office(object.union(facts, {"data_origin": origin}))
}

test_refuses_content_at_every_stage[note] if {
	some case, facts in alone
	some score in [500, null]
	some stage, request in fixtures.stages(object.union(facts, {"signals": {"domestic_surveillance": score}}))
	note := sprintf("%v, %v, %v", [case, score, stage])
	fixtures.says(rule.verdict) == refusal with input as request
}

# What nobody bought, whoever had it; where somebody looks at people, or bought it, that is no answer.
test_silent_about_what_was_not_bought[origin] if {
	some origin in ["agency_records", "public", "intelligence", "partner", "synthetic"]
	not rule.verdict with input as fixtures.declared({"data_origin": origin})
}

test_refuses_what_may_have_been_bought[note] if {
	some purpose, origins in {
		"administrative": ["commercial", "unspecified"],
		"law_enforcement": ["agency_records", "public", "intelligence", "partner", "synthetic"],
	}
	some origin in origins
	note := concat(" ", [purpose, origin])
	fixtures.says(rule.verdict) == refusal with input as fixtures.declared({"purpose": purpose, "data_origin": origin})
}

test_nothing_opens_it[note] if {
	some note, request in {
		"declared": fixtures.declared({"purpose": "domestic_monitoring", "us_person": {"involved": "yes"}}),
		"bulk": fixtures.declared({"us_person": {"involved": "yes"}, "data_origin": "public", "volume": {"persons": 26}}),
		"content": fixtures.changed({"signals": {"domestic_surveillance": 1000}}),
	}
	fixtures.says(rule.verdict) == refusal with input as object.union(request, fixtures.keys("us_person_mass_surveillance"))
}

test_refuses_spoiled_facts[note] if {
	some pointer in [
		"/signals",
		"/signals/domestic_surveillance",
		"/request",
		"/request/purpose",
		"/request/volume",
		"/request/volume/persons",
		"/request/authority",
		"/request/authority/citation",
		"/request/authority/not_before",
		"/request/authority/expires",
		"/now",
	]
	some note, request in fixtures.spoiled(narrow, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_spoiled_claims[note] if {
	some pointer in [
		"/request/us_person",
		"/request/us_person/involved",
		"/request/data_origin",
	]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_spoiled_places[note] if {
	some note, request in fixtures.spoiled(watched(["FR"]), "/request/geo")
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}

# Where many are looked at abroad, the content has its say about whether US persons are among them.
shown(score, basis) := object.union(watched(["FR"]), {
	"request": {"us_person": {"involved": "no", "basis": basis}},
	"signals": {"us_person": score},
})

test_silent_where_the_content_shows_none[note] if {
	some note, request in {"below": shown(499, ""), "with the basis": shown(500, "diplomatic list")}
	not rule.verdict with input as request
}

test_refuses_where_the_content_shows_us_persons[note] if {
	some score in [500, 1000, null]
	some stage, request in fixtures.stages(shown(score, ""))
	note := sprintf("%v, %v", [score, stage])
	fixtures.says(rule.verdict) == refusal with input as request
}

# No purpose of the pack is both; one that becomes both stays closed.
test_no_paper_opens_what_watches_in_bulk_beside_other_work if {
	both := {"areas": ["law_enforcement", "people", "domestic_surveillance"]}
	fixtures.says(rule.verdict) == refusal with input as narrow
		with data.brightline.purposes as object.union(data.brightline.purposes, {"law_enforcement": both})
}
