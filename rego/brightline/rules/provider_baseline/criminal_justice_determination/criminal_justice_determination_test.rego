package brightline.rules.provider_baseline.criminal_justice_determination_test

import data.brightline.rules.provider_baseline.criminal_justice_determination as rule
import data.fixtures

refusal := {"effect": "deny", "id": "criminal_justice_determination"}

test_silent[note] if {
	some note, request in {
		"law enforcement, a person decides": fixtures.declared({"purpose": "law_enforcement", "autonomy": "recommend"}),
		"permitted": fixtures.permitted,
		"other work of a program": fixtures.declared({"autonomy": "none", "channel": "machine"}),
		"below the threshold": fixtures.changed({"signals": {"criminal_justice": 499}}),
	}
	not rule.verdict with input as request
}

test_refuses_at_every_stage[note] if {
	some case, request in {
		"declared": fixtures.declared({"purpose": "sentencing_parole"}),
		"law enforcement that acts by itself": fixtures.declared({"purpose": "law_enforcement", "autonomy": "operator_supervised"}),
		"law enforcement by a program": fixtures.declared({"purpose": "law_enforcement", "autonomy": "none", "channel": "machine"}),
		"law enforcement, nobody says who reads": fixtures.declared({"purpose": "law_enforcement", "channel": "unspecified"}),
		"law enforcement, autonomy not stated": fixtures.declared({"purpose": "law_enforcement", "autonomy": "unspecified"}),
		"content": fixtures.changed({"signals": {"criminal_justice": 500}}),
		"no detector": fixtures.changed({"signals": {"criminal_justice": null}}),
	}
	some stage, staged in fixtures.stages(request)
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as staged
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/signals", "/signals/criminal_justice", "/request", "/request/purpose"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
