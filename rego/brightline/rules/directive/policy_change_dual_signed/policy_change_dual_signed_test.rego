package brightline.rules.directive.policy_change_dual_signed_test

import data.brightline.rules.directive.policy_change_dual_signed as rule
import data.fixtures

refusal := {"effect": "deny", "id": "policy_change_dual_signed"}

test_silent[note] if {
	some note, request in {
		"permitted": fixtures.permitted,
		"and somebody else": fixtures.changed({"release": {"signers": ["agency", "provider", "witness"]}}),
	}
	not rule.verdict with input as request
}

test_refuses_at_every_stage[note] if {
	some case, request in {
		"nobody": fixtures.changed({"release": {"signers": []}}),
		"the agency alone": fixtures.changed({"release": {"signers": ["agency"]}}),
		"the provider alone": fixtures.changed({"release": {"signers": ["provider"]}}),
		"one of them twice": fixtures.changed({"release": {"signers": ["provider", "provider"]}}),
		"no list": fixtures.changed({"release": {"signers": {"first": "agency", "second": "provider"}}}),
		"another spelling": fixtures.changed({"release": {"signers": ["Agency", "provider"]}}),
	}
	some stage, staged in fixtures.stages(request)
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as staged
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/release", "/release/signers"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
