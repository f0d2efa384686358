package brightline.rules.red_line.safeguard_tamper_test

import data.brightline.rules.red_line.safeguard_tamper as rule
import data.fixtures

refusal := {"effect": "deny", "id": "safeguard_tamper"}

few_records := fixtures.declared({"purpose": "model_development", "volume": {"records": 1000}})

test_silent[note] if {
	some note, request in {
		"permitted": fixtures.permitted,
		"below the threshold": fixtures.changed({"signals": {"safeguard_tampering": 499}}),
		"training data, few records": few_records,
		"training data, few records, below the threshold": object.union(few_records, {"signals": {"safeguard_tampering": 499}}),
	}
	not rule.verdict with input as request
}

test_refuses_at_every_stage[note] if {
	some case, request in {
		"training data, not said how many": fixtures.declared({"purpose": "model_development"}),
		"no detector": fixtures.changed({"signals": {"safeguard_tampering": null}}),
		"training data, few records, no detector": object.union(few_records, {"signals": {"safeguard_tampering": null}}),
	}
	some stage, staged in fixtures.stages(request)
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as staged
}

reported := object.union(refusal, {"obligations": [{"kind": "incident", "params": {
	"text": "Attempt to undermine safeguards or oversight.",
	"report_within_hours": 72,
}}]})

seen := {
	"content": fixtures.changed({"signals": {"safeguard_tampering": 500}}),
	"training data, few records, content": object.union(few_records, {"signals": {"safeguard_tampering": 500}}),
	"training data, many records": fixtures.declared({"purpose": "model_development", "volume": {"records": 1001}}),
}

test_refuses_and_reports_what_was_seen[note] if {
	some case, request in seen
	some stage, staged in fixtures.stages(request)
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == reported with input as staged
}

# The incident is lost then, never the refusal.
test_refuses_what_was_seen_where_the_data_lacks_its_text_or_clock if {
	some request in seen
	fixtures.says(rule.verdict) == refusal with input as request
		with data.brightline.labels as object.remove(data.brightline.labels, ["safeguard_tampering"])
	fixtures.says(rule.verdict) == refusal with input as request
		with data.brightline.limits as object.remove(data.brightline.limits, ["safeguard_tampering_hours"])
}

test_nothing_opens_what_was_seen[note] if {
	some note, request in seen
	fixtures.says(rule.verdict) == reported with input as object.union(request, fixtures.keys("safeguard_tamper"))
}

test_nothing_opens_it[note] if {
	some note, request in {
		"no detector": fixtures.changed({"signals": {"safeguard_tampering": null}}),
	}
	fixtures.says(rule.verdict) == refusal with input as object.union(request, fixtures.keys("safeguard_tamper"))
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/signals", "/signals/safeguard_tampering", "/request/purpose"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
