package brightline.agency.example.rules.kept_for_inspection_test

import data.brightline.agency.example.rules.kept_for_inspection as rule
import data.fixtures

obliging := {
	"effect": "allow",
	"id": "kept_for_inspection",
	"obligations": [{"kind": "seal_content", "params": {"class": "standard"}}],
}

test_silent_without_us_persons if not rule.verdict with input as fixtures.permitted

test_seals_where_they_may_be_concerned[involved] if {
	some involved in ["unspecified", "yes", "unknown"]
	request := fixtures.declared({"us_person": {"involved": involved, "basis": "", "process_id": ""}})
	fixtures.says(rule.verdict) == obliging with input as request
}

test_seals_spoiled_facts[note] if {
	some pointer in ["/request", "/request/us_person", "/request/us_person/involved"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	fixtures.says(rule.verdict) == obliging with input as request
}

test_obliges_without_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == obliging with input as request
}
