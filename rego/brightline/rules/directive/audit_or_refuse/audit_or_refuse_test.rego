package brightline.rules.directive.audit_or_refuse_test

import data.brightline.rules.directive.audit_or_refuse as rule
import data.fixtures

refusal := {"effect": "deny", "id": "audit_or_refuse"}

test_silent[note] if {
	some note, request in {
		"permitted": fixtures.permitted,
	}
	not rule.verdict with input as request
}

test_refuses_at_every_stage[note] if {
	some case, request in {
		"not ready": fixtures.changed({"audit": {"ready": false}}),
	}
	some stage, staged in fixtures.stages(request)
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as staged
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/audit", "/audit/ready"]
	some note, request in object.remove(fixtures.spoiled(fixtures.permitted, pointer), [`/audit/ready true`])
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
