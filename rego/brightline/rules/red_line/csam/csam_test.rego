package brightline.rules.red_line.csam_test

import data.brightline.rules.red_line.csam as rule
import data.fixtures

refusal := {"effect": "deny", "id": "csam"}

test_silent[note] if {
	some note, request in {
		"permitted": fixtures.permitted,
		"below the threshold": fixtures.changed({"signals": {"child_safety": 499}}),
	}
	not rule.verdict with input as request
}

test_refuses_at_every_stage[note] if {
	some case, request in {
		"no detector": fixtures.changed({"signals": {"child_safety": null}}),
	}
	some stage, staged in fixtures.stages(request)
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as staged
}

reported := object.union(refusal, {"obligations": [{"kind": "incident", "params": {
	"text": "Content that sexualises children: report as the law asks.",
	"report_within_hours": 24,
}}]})

seen := {
	"content": fixtures.changed({"signals": {"child_safety": 500}}),
	"certain": fixtures.changed({"signals": {"child_safety": 1000}}),
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
		with data.brightline.labels as object.remove(data.brightline.labels, ["child_safety"])
	fixtures.says(rule.verdict) == refusal with input as request
		with data.brightline.limits as object.remove(data.brightline.limits, ["child_safety_hours"])
}

test_nothing_opens_what_was_seen[note] if {
	some note, request in seen
	fixtures.says(rule.verdict) == reported with input as object.union(request, fixtures.keys("csam"))
}

test_nothing_opens_it[note] if {
	some note, request in {
		"no detector": fixtures.changed({"signals": {"child_safety": null}}),
	}
	fixtures.says(rule.verdict) == refusal with input as object.union(request, fixtures.keys("csam"))
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/signals", "/signals/child_safety"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
