package brightline.rules.provider_baseline.tool_effector_stated_test

import data.brightline.rules.provider_baseline.tool_effector_stated as rule
import data.fixtures

refusal := {
	"effect": "deny",
	"rule": {
		"scope": "package",
		"title": "Every tool states what it can do",
		"description": "A tool without an effector is refused, and until then every rule that looks at tools treats it as the worst it could be.\n",
		"custom": {
			"id": "tool_effector_stated",
			"class": "provider_baseline",
			"remedy": "State the effector of every tool.",
			"sources": [{"title": "Brightline wire contract, Tool.effector", "read": "first_hand"}],
		},
	},
}

test_silent[note] if {
	some note, request in {
		"permitted": fixtures.permitted,
		"no tools": fixtures.declared({"tools": []}),
		"every effector": fixtures.declared({"tools": [{"name": effector, "effector": effector} |
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
	rule.verdict == refusal with input as request
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/request", "/request/tools", "/request/tools/0/effector"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	rule.verdict == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	rule.verdict == refusal with input as request
}
