package brightline.rules.provider_baseline.facts_well_formed_test

import data.brightline.rules.provider_baseline.facts_well_formed as rule
import data.fixtures

refusal := {"effect": "deny", "id": "facts_well_formed"}

test_silent_at_every_stage[stage] if {
	some stage, request in fixtures.stages(fixtures.permitted)
	not rule.verdict with input as request
}

test_silent_on_refusable_facts[note] if {
	some note, request in {
		"unknown model": fixtures.changed({"model": null}),
		"no detector": fixtures.changed({"signals": {"autonomous_targeting": null, "domestic_surveillance": null}}),
		"marking not understood": fixtures.declared({"marking": null, "documents": [null]}),
		"everything stated": fixtures.changed(fixtures.keys("facts_well_formed")),
	}
	not rule.verdict with input as request
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/stage", "/principal", "/tenant", "/request", "/signals", "/release", "/now"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
