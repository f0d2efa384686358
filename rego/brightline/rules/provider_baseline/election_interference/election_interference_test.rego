package brightline.rules.provider_baseline.election_interference_test

import data.brightline.rules.provider_baseline.election_interference as rule
import data.fixtures

refusal := {"effect": "deny", "id": "election_interference"}

test_silent[note] if {
	some note, request in {
		"permitted": fixtures.permitted,
		"another purpose, in public": fixtures.declared({"channel": "public"}),
		"administration": fixtures.declared({"purpose": "election_administration", "channel": "internal"}),
		"administration, other offices": fixtures.declared({"purpose": "election_administration", "channel": "interagency"}),
	}
	not rule.verdict with input as request
}

test_refuses_at_every_stage[note] if {
	some case, request in {
		"declared": fixtures.declared({"purpose": "election_influence", "channel": "internal"}),
		"to voters": fixtures.declared({"purpose": "election_administration", "channel": "public"}),
		"abroad": fixtures.declared({"purpose": "election_administration", "channel": "foreign"}),
		"a machine acts on it": fixtures.declared({"purpose": "election_administration", "channel": "machine"}),
		"nobody says who sees it": fixtures.declared({"purpose": "election_administration", "channel": "unspecified"}),
	}
	some stage, staged in fixtures.stages(request)
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as staged
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/request", "/request/purpose"]
	some note, request in fixtures.spoiled(fixtures.declared({"purpose": "election_administration"}), pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
