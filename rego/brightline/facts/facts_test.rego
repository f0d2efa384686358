package brightline.facts_test

import data.brightline.facts
import data.fixtures

# Every fact that a decision can rest on, with everything that may be absent there.
full := object.union(
	fixtures.changed(fixtures.keys("foreign_intel_analysis")),
	{"request": {"geo": ["US"], "volume": {"persons": 1, "records": 1}}},
)

test_well_formed[note] if {
	some note, request in {
		"permitted": fixtures.permitted,
		"everything stated": full,
		"unknown model": fixtures.changed({"model": null}),
		"no detector": fixtures.changed({"signals": {signal: null | some signal, _ in data.brightline.thresholds}}),
		"the highest scores": fixtures.changed({"signals": {"autonomous_targeting": 1000, "domestic_surveillance": 1000}}),
		"markings not understood": fixtures.declared({"marking": null, "documents": [null], "output_marking": null}),
		"an attribute of the release's own": fixtures.changed({"tenant": {"hosting": "us-gov-west-1"}}),
	}
	facts.well_formed with input as request
}

# Of the odd values of fixtures.spoiled, those that a fact may have all the same: any text, no text, null, or none.
tolerated[pointer] contains `"odd"` if {
	some pointer in [
		"/principal/subject",
		"/principal/client_id",
		"/principal/certificate",
		"/principal/roles/0",
		"/tenant/id",
		"/tenant/policy",
		"/tenant/rules/0",
		"/tenant/purposes/0",
		"/tenant/models/0",
		"/tenant/region",
		"/tenant/owners/0",
		"/tenant/grants/0/id",
		"/tenant/grants/0/rule",
		"/tenant/grants/0/purposes/0",
		"/tenant/grants/0/addendum",
		"/request/evidence/0/kind",
		"/request/evidence/0/id",
		"/model/levels/0/framework",
		"/model/levels/0/level",
		"/model/safeguards/0",
		"/model/report/reference",
		"/model/enclaves/0",
		"/enclave/name",
		"/release/signers/0",
		"/tenant/marking_ceiling/controls/0",
		"/request/purpose",
		"/request/model",
		"/request/geo/0",
		"/request/authority/kind",
		"/request/authority/citation",
		"/request/authority/id",
		"/request/approval/id",
		"/request/approval/approver",
		"/request/approval/digest",
		"/request/tools/0/name",
		"/request/us_person/basis",
		"/request/us_person/process_id",
		"/model/id",
		"/model/marking_ceiling/controls/0",
		"/enclave/marking_ceiling/controls/0",
		"/request/output_marking/banner",
		"/release/digest",
	]
}

tolerated[pointer] contains `""` if {
	some pointer in [
		"/principal/client_id",
		"/enclave/name",
		"/principal/certificate",
		"/tenant/policy",
		"/request/authority/id",
		"/request/us_person/basis",
		"/request/us_person/process_id",
	]
}

tolerated[pointer] contains "null" if {
	some pointer in [
		"/request/authority",
		"/request/approval",
		"/request/marking",
		"/request/documents/0",
		"/request/output_marking",
		"/tenant/marking_ceiling/release_to",
		"/model/marking_ceiling/release_to",
		"/enclave/marking_ceiling/release_to",
		"/request/marking/release_to",
		"/request/output_marking/release_to",
		"/request/documents/0/release_to",
		"/request/volume/persons",
		"/request/volume/records",
		"/model",
	]
}

tolerated[concat("/", ["/signals", signal])] contains "null" if some signal, _ in data.brightline.thresholds

tolerated["/request/documents"] contains "[null]"

tolerated["/tenant/national_security"] contains "true"

tolerated["/audit/ready"] contains "true"

tolerated[pointer] contains "missing" if {
	some pointer in [
		"/principal/roles/0",
		"/tenant/rules/0",
		"/tenant/purposes/0",
		"/tenant/models/0",
		"/tenant/owners/0",
		"/tenant/grants/0",
		"/tenant/grants/0/purposes/0",
		"/request/evidence/0",
		"/model/levels/0",
		"/model/safeguards/0",
		"/model/enclaves/0",
		"/safeguards/detector.lexical",
		"/release/signers/0",
		"/tenant/marking_ceiling/controls/0",
		"/request/geo/0",
		"/request/documents/0",
		"/request/tools/0",
		"/model/marking_ceiling/controls/0",
		"/enclave/marking_ceiling/controls/0",
	]
}

test_tolerates[note] if {
	some pointer, values in tolerated
	some value in values
	note := concat(" ", [pointer, value])
	facts.well_formed with input as fixtures.spoiled(full, pointer)[note]
}

# By its pointer, every fact of the full request but the later elements of its lists.
pointers contains concat("/", array.concat([""], [sprintf("%v", [step]) | some step in path])) if {
	walk(full, [path, _])
	count(path) > 0
	every step in path {
		not later(step)
	}
}

later(step) if {
	is_number(step)
	step > 0
}

# The facts below one of these, each spoiled in every way that it does not tolerate.
overlooked(parts) := {note |
	some pointer in pointers
	split(pointer, "/")[1] in parts
	well := {concat(" ", [pointer, value]) | some value in object.get(tolerated, pointer, set())}
	some note, request in object.remove(fixtures.spoiled(full, pointer), well)
	facts.well_formed with input as request
}

test_looks_at_every_fact_of_the_request if overlooked({"request"}) == set()

test_looks_at_every_fact_of_the_release if overlooked({"tenant", "model", "release"}) == set()

test_looks_at_every_other_fact if {
	overlooked({part | some part, _ in full} - {"request", "tenant", "model", "release"}) == set()
}

test_refuses[note] if {
	some note, request in {
		"a stage of its own": fixtures.changed({"stage": "training"}),
		"a score over 1000": fixtures.changed({"signals": {"autonomous_targeting": 1001}}),
		"a score that is no integer": fixtures.changed({"signals": {"domestic_surveillance": 0.5}}),
		"a level over 4": fixtures.declared({"marking": {"level": 5, "controls": []}}),
		"released to nobody": fixtures.declared({"marking": {"release_to": []}}),
		"released, and not to USA": fixtures.declared({"marking": {"release_to": ["GBR"]}}),
		"no tokens": fixtures.declared({"max_tokens": 0}),
		"a time before 1970": fixtures.changed({"now": 0}),
		"an odd kind of tenant": fixtures.changed({"tenant": {"kind": "foreign"}}),
	}
	not facts.well_formed with input as request
}

test_nothing_is_answered_without_facts[note] if {
	some note, request in fixtures.empty
	not facts.areas with input as request
	not facts.unarmed with input as request
	not facts.conventional with input as request
	not facts.peaceful with input as request
	not facts.outside("weapons") with input as request
	not facts.live_authority with input as request
	not facts.approved with input as request
	not facts.well_formed with input as request
}

certified(changes) := fixtures.declared(object.union(
	{"authority": fixtures.authority("50 USC 1881a"), "us_person": {"involved": "yes"}},
	changes,
))

test_a_certification_counts[note] if {
	some note, changes in {
		"for a query of its data": {"purpose": "fisa702_query"},
		"for foreign persons": {"purpose": "foreign_intelligence_analysis", "us_person": {"involved": "no"}, "geo": ["FR"]},
	}
	facts.live_authority.citation == "50 USC 1881a" with input as certified(changes)
}

test_a_certification_that_does_not_count[note] if {
	some note, purpose in {
		"for law enforcement": "law_enforcement",
		"for office work": "administrative",
		"for a purpose that nobody knows": "odd",
	}
	not facts.live_authority with input as certified({"purpose": purpose})
}

# By its own period and now; the fixtures' time is 1,000.
certifying(not_before, expires, now) := object.union(
	certified({"purpose": "fisa702_query", "authority": object.union(
		fixtures.authority("50 USC 1881a"),
		{"not_before": not_before, "expires": expires},
	)}),
	{"now": now},
)

test_a_certification_runs_for_a_year if {
	facts.live_authority with input as certifying(500, 500 + 31622400000, 500 + 31622400000)
	not facts.live_authority with input as certifying(500, 501 + 31622400000, 1000)
}

test_a_certification_says_since_when if {
	facts.live_authority with input as certifying(1, 1500, 1000)
	not facts.live_authority with input as certifying(0, 1500, 1000)
}

test_another_authority_may_run_for_longer if {
	facts.live_authority with input as fixtures.declared({"authority": object.union(
		fixtures.authority("50 USC 1805"),
		{"not_before": 0, "expires": 9000000000000000},
	)})
}

test_a_certification_without_a_limit_counts_for_nothing[note] if {
	some note, limit in {"null": null, "text": "31622400000", "false": false}
	not facts.live_authority with input as certifying(500, 1500, 1000) with data.brightline.limits.certification_ms as limit
}

proving(changes) := fixtures.declared({"evidence": [object.union(
	{"kind": "consent", "id": "form-1", "expires": 1000},
	changes,
)]})

test_evidence_counts_until_its_last_moment if {
	facts.proven("consent") with input as proving({})
}

test_evidence_that_does_not_count[note] if {
	some note, changes in {
		"of another kind": {"kind": "senior_review"},
		"over": {"expires": 999},
		"with no end": {"expires": 0},
		"without an identifier": {"id": ""},
		"with a blank identifier": {"id": " \t"},
		"with an identifier that has no width": {"id": "\u200b\ufeff"},
		"with a dash for an identifier": {"id": "--"},
		"with a long dash for an identifier": {"id": "—"},
		"with an ellipsis for an identifier": {"id": "(…)"},
		"with a letter that is blank for an identifier": {"id": "\u3164"},
		"with a pattern that is blank for an identifier": {"id": "\u2800"},
		"with a word for nothing": {"id": "n/a"},
		"with a word for nothing in capitals": {"id": "TBD."},
		"with a number for an identifier": {"id": 7},
		"with an odd end": {"expires": "2000"},
	}
	not facts.proven("consent") with input as proving(changes)
}

test_named[value] if {
	some value in ["x", "7", "IA-7", "Ж", "é", "None 1", "nabc", "UN-1", "(a)", "n/a 0"]
	facts.named(value)
}

test_not_named[value] if {
	some value in [
		"", " ", "\u2003", "\u180e", "\u2800", "\u3164", "\u115f\u1160", "—\uffa0", "—", "–", "…", "\u2212", "·", "*", "()", `"`, "'", "\u0000",
		"n/a", "N/A.", "na", "(None)", "UNKNOWN", " tbd ", "Unspecified",
	]
	not facts.named(value)
}

test_evidence_is_renewed_in_time if {
	facts.renewed("consent", 0) with input as proving({})
	facts.renewed("consent", 500) with input as proving({"expires": 1500})
	not facts.renewed("consent", 499) with input as proving({"expires": 1500})
	not facts.renewed("consent", 500) with input as proving({"expires": 999})
	not facts.renewed("consent", 500) with input as object.union(proving({}), {"now": "1000"})
}

test_abroad if facts.abroad with input as fixtures.declared({"geo": ["FR", "NO"]})

test_not_abroad[note] if {
	some note, geo in {
		"nowhere": [],
		"at home": ["US"],
		"in a territory": ["FR", "GU"],
		"in small letters": ["fr"],
		"in wide letters": ["\uff26\uff32"],
		"that nobody assigned": ["XX"],
		"by its three letters": ["FRA"],
		"that is no text": [7],
	}
	not facts.abroad with input as fixtures.declared({"geo": geo})
}

test_nobody_approves_themselves_in_other_letters if {
	request := fixtures.changed({"principal": {"subject": "CN=Analyst"}, "request": {"approval": fixtures.approval}})
	facts.approved with input as request
	not facts.approved with input as object.union(request, {"request": {"approval": {"approver": "cn=analyst"}}})
}

test_people_decide[note] if {
	some autonomy in ["none", "recommend"]
	some channel in ["internal", "interagency", "public", "foreign"]
	note := concat(" ", [autonomy, channel])
	facts.people_decide with input as fixtures.declared({"autonomy": autonomy, "channel": channel})
}

test_no_people_decide[note] if {
	some note, request in {
		"a program acts": fixtures.declared({"channel": "machine"}),
		"nobody says who reads": fixtures.declared({"channel": "unspecified"}),
		"an operator selected": fixtures.declared({"autonomy": "semi_autonomous"}),
		"a person may only override": fixtures.declared({"autonomy": "operator_supervised"}),
		"autonomous": fixtures.declared({"autonomy": "autonomous"}),
		"autonomy not stated": fixtures.declared({"autonomy": "unspecified"}),
		"no channel": json.remove(fixtures.permitted, ["/request/channel"]),
	}
	not facts.people_decide with input as request
}

# A kind of tenants may have a lower or a higher threshold; other kinds and other signals keep everybody's.
test_thresholds_of_a_kind_of_tenants if {
	own := {"dod": {"cbrn": 400, "weapons_design": 600}}
	scores := {"signals": {"cbrn": 450, "weapons_design": 550, "offensive_cyber": 450}}
	dod := fixtures.changed(object.union(scores, {"tenant": {"kind": "dod"}}))

	facts.heard("cbrn") with input as dod with data.brightline.tenant_thresholds as own
	not facts.unheard("cbrn") with input as dod with data.brightline.tenant_thresholds as own
	facts.unheard("weapons_design") with input as dod with data.brightline.tenant_thresholds as own
	facts.unheard("offensive_cyber") with input as dod with data.brightline.tenant_thresholds as own

	civil := fixtures.changed(scores)
	facts.unheard("cbrn") with input as civil with data.brightline.tenant_thresholds as own
	not facts.unheard("weapons_design") with input as civil with data.brightline.tenant_thresholds as own
}

# What stands there and is no number refuses, and everybody's threshold does not take its place.
test_refuses_spoiled_thresholds_of_a_kind[note] if {
	some note, value in {"null": null, "text": "500", "true": true, "false": false, "a list": [500]}
	not facts.unheard("cbrn") with input as fixtures.permitted
		with data.brightline.tenant_thresholds as {"civil": {"cbrn": value}}
}

# A tool is of the effectors that it declares and of those that are written in it.
test_only_tools_minds_what_is_written if {
	facts.only_tools({"read_only", "weapon"}) with input as fixtures.declared({"tools": fixtures.described("weapon")})
	not facts.only_tools({"read_only"}) with input as fixtures.declared({"tools": fixtures.described("weapon")})
}

test_only_tools_needs_to_know_what_is_written[note] if {
	some note, request in fixtures.spoiled(fixtures.permitted, "/request/tools/0/apparent")
	not facts.only_tools(facts.effectors) with input as request
}

no_us_person(score, basis) := object.union(
	fixtures.declared({"us_person": {"involved": "no", "basis": basis}}),
	{"signals": {"us_person": score}},
)

test_no_us_person if {
	facts.no_us_person with input as no_us_person(499, "")
	facts.no_us_person with input as no_us_person(1000, "the address is the bank's")
}

test_no_us_person_is_not_believed[note] if {
	some note, request in {
		"the content shows one": no_us_person(500, ""),
		"nobody could look": no_us_person(null, ""),
		"a basis without a word": no_us_person(500, "-"),
		"said to be involved": object.union(no_us_person(0, "b"), {"request": {"us_person": {"involved": "yes"}}}),
		"not said": object.union(no_us_person(0, "b"), {"request": {"us_person": {"involved": "unspecified"}}}),
	}
	not facts.no_us_person with input as request
}
