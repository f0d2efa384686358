package brightline.rules.provider_baseline.track_person_nonconsent_test

import data.brightline.rules.provider_baseline.track_person_nonconsent as rule
import data.fixtures

refusal := {"effect": "deny", "id": "track_person_nonconsent"}

test_silent[note] if {
	some note, request in {
		"permitted": fixtures.permitted,
		"a purpose that looks at people": fixtures.declared({"purpose": "law_enforcement"}),
		"below the threshold": fixtures.changed({"signals": {"domestic_surveillance": 499}}),
	}
	not rule.verdict with input as request
}

test_refuses_at_every_stage[note] if {
	some case, facts in {
		"declared": {"request": {"purpose": "person_tracking"}},
		"content": {"signals": {"domestic_surveillance": 500}},
	}
	some stage, request in fixtures.stages(fixtures.changed(facts))
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as request
}

test_no_approval_or_authority_opens_it if {
	request := object.union(fixtures.declared({"purpose": "person_tracking"}), fixtures.keys("track_person_nonconsent"))
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/request", "/request/purpose", "/signals", "/signals/domestic_surveillance"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
