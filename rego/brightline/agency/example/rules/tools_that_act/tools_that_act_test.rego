package brightline.agency.example.rules.tools_that_act_test

import data.brightline.agency.example.rules.tools_that_act as rule
import data.fixtures

obliging := {
	"effect": "allow",
	"id": "tools_that_act",
	"obligations": [{
		"kind": "remove_tools",
		"params": {"effectors": ["communication", "sensor_tasking", "cyber", "physical"]},
	}],
}

test_silent[note] if {
	some note, request in {
		"permitted": fixtures.permitted,
		"no tools": fixtures.declared({"tools": []}),
		"a tool that writes": fixtures.declared({"tools": fixtures.tools("digital_write")}),
	}
	not rule.verdict with input as request
}

test_takes_out_tools_that_act[effector] if {
	some effector in ["communication", "sensor_tasking", "cyber", "physical"]
	fixtures.says(rule.verdict) == obliging with input as fixtures.declared({"tools": fixtures.tools(effector)})
}

test_takes_out_tools_that_are_described_as_acting if {
	fixtures.says(rule.verdict) == obliging with input as fixtures.declared({"tools": fixtures.described("communication")})
}

test_takes_out_on_spoiled_facts[note] if {
	some pointer in ["/request", "/request/tools", "/request/tools/0/effector"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	fixtures.says(rule.verdict) == obliging with input as request
}

test_obliges_without_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == obliging with input as request
}
