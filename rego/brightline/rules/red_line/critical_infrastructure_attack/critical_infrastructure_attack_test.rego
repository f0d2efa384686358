package brightline.rules.red_line.critical_infrastructure_attack_test

import data.brightline.rules.red_line.critical_infrastructure_attack as rule
import data.fixtures

refusal := {"effect": "deny", "id": "critical_infrastructure_attack"}

test_silent[note] if {
	some note, request in {
		"permitted": fixtures.permitted,
		"below the threshold, tools that only read": fixtures.changed({"signals": {"critical_infrastructure": 499}}),
		"below the strict limit, tools that act": object.union(fixtures.declared({"tools": fixtures.tools("physical")}), {"signals": {"critical_infrastructure": 299}}),
	}
	not rule.verdict with input as request
}

# Tools that read, write, tell or look reach no grid by themselves.
test_silent_below_the_threshold_with_a_tool[effector] if {
	some effector in ["read_only", "digital_write", "communication", "sensor_tasking"]
	request := object.union(fixtures.declared({"tools": fixtures.tools(effector)}), {"signals": {"critical_infrastructure": 499}})
	not rule.verdict with input as request
}

test_refuses_between_the_limits_with_a_tool[effector] if {
	some effector in ["cyber", "physical", "weapon", "nuclear", "unspecified"]
	request := object.union(fixtures.declared({"tools": fixtures.tools(effector)}), {"signals": {"critical_infrastructure": 300}})
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_at_every_stage[note] if {
	some case, request in {
		"content": fixtures.changed({"signals": {"critical_infrastructure": 500}}),
		"content and tools that act": object.union(fixtures.declared({"tools": fixtures.tools("physical")}), {"signals": {"critical_infrastructure": 300}}),
		"content and tools that are described as acting": object.union(fixtures.declared({"tools": fixtures.described("physical")}), {"signals": {"critical_infrastructure": 300}}),
		"content and tools that may act": object.union(fixtures.declared({"tools": fixtures.tools("unspecified")}), {"signals": {"critical_infrastructure": 300}}),
		"no detector": fixtures.changed({"signals": {"critical_infrastructure": null}}),
	}
	some stage, staged in fixtures.stages(request)
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as staged
}

test_nothing_opens_it[note] if {
	some note, request in {
		"content": fixtures.changed({"signals": {"critical_infrastructure": 500}}),
		"content and tools that act": object.union(fixtures.declared({"tools": fixtures.tools("physical")}), {"signals": {"critical_infrastructure": 300}}),
		"content and tools that may act": object.union(fixtures.declared({"tools": fixtures.tools("unspecified")}), {"signals": {"critical_infrastructure": 300}}),
		"no detector": fixtures.changed({"signals": {"critical_infrastructure": null}}),
	}
	fixtures.says(rule.verdict) == refusal with input as object.union(request, fixtures.keys("critical_infrastructure_attack"))
}

# A threshold may be signed that is below the strict limit: for everybody, or for a kind of tenants.
test_refuses_from_a_threshold_below_the_strict_limit if {
	loud := fixtures.changed({"signals": {"critical_infrastructure": 200}})
	not rule.verdict with input as fixtures.changed({"signals": {"critical_infrastructure": 199}})
		with data.brightline.thresholds.critical_infrastructure as 200
	fixtures.says(rule.verdict) == refusal with input as loud
		with data.brightline.thresholds.critical_infrastructure as 200
	fixtures.says(rule.verdict) == refusal with input as loud
		with data.brightline.tenant_thresholds.civil as {"critical_infrastructure": 200}
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/signals", "/signals/critical_infrastructure"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
