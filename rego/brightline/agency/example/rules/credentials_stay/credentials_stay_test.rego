package brightline.agency.example.rules.credentials_stay_test

import data.brightline.agency.example.rules.credentials_stay as rule
import data.fixtures

refusal := {"effect": "deny", "id": "credentials_stay"}

test_silent[note] if {
	some note, request in {
		"permitted": fixtures.permitted,
		"below the threshold": fixtures.changed({"signals": {"credentials": 499}}),
	}
	not rule.verdict with input as request
}

test_refuses_at_every_stage[note] if {
	some score in [500, 1000, null]
	some stage, request in fixtures.stages(fixtures.changed({"signals": {"credentials": score}}))
	note := sprintf("%v, %v", [score, stage])
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/signals", "/signals/credentials"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
