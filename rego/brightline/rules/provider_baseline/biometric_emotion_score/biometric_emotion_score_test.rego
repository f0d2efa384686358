package brightline.rules.provider_baseline.biometric_emotion_score_test

import data.brightline.rules.provider_baseline.biometric_emotion_score as rule
import data.fixtures

refusal := {"effect": "deny", "id": "biometric_emotion_score"}

test_silent[note] if {
	some note, request in {
		"medical care": fixtures.changed({"request": {"purpose": "medical_support"}, "signals": {"biometric_scoring": 900}}),
		"safety": fixtures.changed({"request": {"purpose": "emergency_response"}, "signals": {"biometric_scoring": 900}}),
		"permitted": fixtures.permitted,
		"below the threshold": fixtures.changed({"signals": {"biometric_scoring": 499}}),
	}
	not rule.verdict with input as request
}

test_refuses_at_every_stage[note] if {
	some case, request in {
		"categories": fixtures.declared({"purpose": "biometric_categorisation"}),
		"emotions": fixtures.declared({"purpose": "emotion_inference"}),
		"scores": fixtures.declared({"purpose": "social_scoring"}),
		"medical care, no detector": fixtures.changed({"request": {"purpose": "medical_support"}, "signals": {"biometric_scoring": null}}),
		"content": fixtures.changed({"signals": {"biometric_scoring": 500}}),
		"no detector": fixtures.changed({"signals": {"biometric_scoring": null}}),
	}
	some stage, staged in fixtures.stages(request)
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as staged
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/signals", "/signals/biometric_scoring", "/request", "/request/purpose"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
