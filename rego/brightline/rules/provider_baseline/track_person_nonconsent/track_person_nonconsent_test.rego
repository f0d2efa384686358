package brightline.rules.provider_baseline.track_person_nonconsent_test

import data.brightline.rules.provider_baseline.track_person_nonconsent as rule
import data.fixtures

refusal := {
	"effect": "deny",
	"rule": {
		"scope": "package",
		"title": "No tracking of persons without their consent",
		"description": "No tracking of location, communications or emotion, no facial recognition, battlefield management or predictive policing of persons without their consent.\n",
		"custom": {
			"id": "track_person_nonconsent",
			"class": "provider_baseline",
			"remedy": "Choose the purpose that fits what is asked. If it is tracking, only the provider can agree to it, in the contract.",
			"sources": [{"title": "Provider usage policy, Criminal Justice, Censorship, Surveillance", "read": "first_hand"}],
		},
	},
}

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
	rule.verdict == refusal with input as request
}

test_no_approval_or_authority_opens_it if {
	request := object.union(fixtures.declared({"purpose": "person_tracking"}), fixtures.keys)
	rule.verdict == refusal with input as request
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/request", "/request/purpose", "/signals", "/signals/domestic_surveillance"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	rule.verdict == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	rule.verdict == refusal with input as request
}
