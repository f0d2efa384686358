package brightline.rules.directive.state_censorship_test

import data.brightline.rules.directive.state_censorship as rule
import data.fixtures

refusal := {"effect": "deny", "id": "state_censorship"}

test_silent[note] if {
	some note, request in {
		"permitted": fixtures.permitted,
		"below the threshold": fixtures.changed({"signals": {"state_censorship": 499}}),
	}
	not rule.verdict with input as request
}

test_refuses_at_every_stage[note] if {
	some case, request in {
		"declared": fixtures.declared({"purpose": "content_restriction"}),
		"content": fixtures.changed({"signals": {"state_censorship": 500}}),
		"no detector": fixtures.changed({"signals": {"state_censorship": null}}),
	}
	some stage, staged in fixtures.stages(request)
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as staged
}

test_nothing_opens_it if {
	request := object.union(fixtures.declared({"purpose": "content_restriction"}), fixtures.keys("state_censorship"))
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/signals", "/signals/state_censorship", "/request", "/request/purpose"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
