package brightline.rules.red_line.power_seizure_test

import data.brightline.rules.red_line.power_seizure as rule
import data.fixtures

refusal := {"effect": "deny", "id": "power_seizure"}

test_silent[note] if {
	some note, request in {
		"permitted": fixtures.permitted,
		"below the threshold": fixtures.changed({"signals": {"power_seizure": 499}}),
	}
	not rule.verdict with input as request
}

test_refuses_at_every_stage[note] if {
	some case, request in {
		"declared": fixtures.declared({"purpose": "seizure_of_power"}),
		"content": fixtures.changed({"signals": {"power_seizure": 500}}),
		"no detector": fixtures.changed({"signals": {"power_seizure": null}}),
	}
	some stage, staged in fixtures.stages(request)
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as staged
}

test_nothing_opens_it[note] if {
	some note, request in {
		"declared": fixtures.declared({"purpose": "seizure_of_power"}),
		"content": fixtures.changed({"signals": {"power_seizure": 500}}),
		"no detector": fixtures.changed({"signals": {"power_seizure": null}}),
	}
	fixtures.says(rule.verdict) == refusal with input as object.union(request, fixtures.keys("power_seizure"))
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/signals", "/signals/power_seizure", "/request", "/request/purpose"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
