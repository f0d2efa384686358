package brightline.rules.red_line.weapon_engage_autonomous_test

import data.brightline.rules.red_line.weapon_engage_autonomous as rule
import data.fixtures

refusal := {"effect": "deny", "id": "weapon_engage_autonomous"}

# A use of weapons in which a human selects, which this rule leaves to others.
human_selects := fixtures.declared({
	"purpose": "weapon_engagement",
	"autonomy": "semi_autonomous",
	"tools": fixtures.tools("weapon"),
})

test_silent_without_weapons[note] if {
	some note, request in {
		"no autonomy stated": fixtures.declared({"autonomy": "unspecified"}),
		"autonomous, no weapon": fixtures.declared({"autonomy": "autonomous"}),
		"no weapon, a program reads": fixtures.declared({"channel": "machine"}),
		"no tools": fixtures.declared({"tools": []}),
		"every tool but weapons": fixtures.declared({"tools": [{"name": effector, "effector": effector, "apparent": [effector]} |
			some effector in ["read_only", "digital_write", "communication", "sensor_tasking", "cyber", "physical"]
		]}),
		"below the threshold": fixtures.changed({"signals": {"autonomous_targeting": 499}}),
	}
	not rule.verdict with input as request
}

test_silent_where_a_human_selects[autonomy] if {
	some autonomy in ["none", "recommend", "semi_autonomous"]
	not rule.verdict with input as object.union(human_selects, {"request": {"autonomy": autonomy}})
}

# An operator selects before a semi-autonomous system engages, so that whoever reads the answer is not asked.
test_silent_where_an_operator_selected[channel] if {
	some channel in ["machine", "unspecified"]
	not rule.verdict with input as object.union(human_selects, {"request": {"channel": channel}})
}

test_refuses_where_a_program_acts[note] if {
	some autonomy in ["none", "recommend"]
	some channel in ["machine", "unspecified"]
	some stage, request in fixtures.stages(object.union(human_selects, {"request": {"autonomy": autonomy, "channel": channel}}))
	note := concat(" ", [autonomy, channel, stage])
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_declared_autonomy[note] if {
	some purpose in ["weapon_engagement", "targeting_support"]
	some autonomy in ["autonomous", "operator_supervised", "unspecified"]
	note := concat(" ", [purpose, autonomy])
	fixtures.says(rule.verdict) == refusal with input as fixtures.declared({"purpose": purpose, "autonomy": autonomy})
}

test_refuses_autonomous_tools[note] if {
	some effector in ["weapon", "nuclear", "unspecified"]
	some autonomy in ["autonomous", "operator_supervised", "unspecified"]
	note := concat(" ", [effector, autonomy])
	request := fixtures.declared({"tools": fixtures.tools(effector), "autonomy": autonomy})
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_content_at_every_stage[stage] if {
	some stage, request in fixtures.stages(fixtures.changed({"signals": {"autonomous_targeting": 500}}))
	fixtures.says(rule.verdict) == refusal with input as request
}

test_nothing_opens_it[note] if {
	some note, request in {
		"declared": fixtures.declared({"purpose": "weapon_engagement", "autonomy": "autonomous"}),
		"content": fixtures.changed({"signals": {"autonomous_targeting": 1000}}),
	}
	fixtures.says(rule.verdict) == refusal with input as object.union(request, fixtures.keys("weapon_engage_autonomous"))
}

test_refuses_spoiled_facts[note] if {
	some pointer in [
		"/signals",
		"/signals/autonomous_targeting",
		"/request",
		"/request/purpose",
		"/request/autonomy",
	]
	some note, request in fixtures.spoiled(human_selects, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_spoiled_tools[note] if {
	some pointer in ["/request/tools", "/request/tools/1", "/request/tools/1/effector"]
	some note, request in object.remove(fixtures.spoiled(fixtures.declared({"tools": fixtures.tools("physical")}), pointer), ["/request/tools/1 missing"])
	fixtures.says(rule.verdict) == refusal with input as object.union(request, {"request": {"autonomy": "autonomous"}})
}

test_refuses_spoiled_thresholds[note] if {
	some note, value in {"null": null, "text": "500", "true": true}
	fixtures.says(rule.verdict) == refusal with input as fixtures.permitted
		with data.brightline.thresholds.autonomous_targeting as value
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
