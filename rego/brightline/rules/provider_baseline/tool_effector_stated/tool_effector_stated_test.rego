package brightline.rules.provider_baseline.tool_effector_stated_test

import data.brightline.rules.provider_baseline.tool_effector_stated as rule
import data.fixtures

refusal := {"effect": "deny", "id": "tool_effector_stated"}

test_silent[note] if {
	some note, request in {
		"permitted": fixtures.permitted,
		"no tools": fixtures.declared({"tools": []}),
		"every effector": fixtures.declared({"tools": [{"name": effector, "effector": effector, "apparent": [effector]} |
			some effector in [
				"read_only",
				"digital_write",
				"communication",
				"sensor_tasking",
				"cyber",
				"physical",
				"weapon",
				"nuclear",
			]
		]}),
	}
	not rule.verdict with input as request
}

test_refuses_at_every_stage[stage] if {
	some stage, request in fixtures.stages(fixtures.declared({"tools": fixtures.tools("unspecified")}))
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/request", "/request/tools", "/request/tools/0/effector"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
