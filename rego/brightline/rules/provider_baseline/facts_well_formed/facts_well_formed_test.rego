package brightline.rules.provider_baseline.facts_well_formed_test

import data.brightline.rules.provider_baseline.facts_well_formed as rule
import data.fixtures

refusal := {
	"effect": "deny",
	"rule": {
		"scope": "package",
		"title": "The facts are complete",
		"description": "The facts of the request have the shape that rules rely on; a decision on anything else would be a guess.",
		"custom": {
			"id": "facts_well_formed",
			"class": "provider_baseline",
			"remedy": "Tell whoever runs the gateway; the request itself may be in order.",
			"sources": [{"title": "Brightline decision contract, rego/schemas/input.json", "read": "first_hand"}],
		},
	},
}

test_silent_at_every_stage[stage] if {
	some stage, request in fixtures.stages(fixtures.permitted)
	not rule.verdict with input as request
}

test_silent_on_refusable_facts[note] if {
	some note, request in {
		"unknown model": fixtures.changed({"model": null}),
		"no detector": fixtures.changed({"signals": {"autonomous_targeting": null, "domestic_surveillance": null}}),
		"marking not understood": fixtures.declared({"marking": null, "documents": [null]}),
		"everything stated": fixtures.changed(fixtures.keys),
	}
	not rule.verdict with input as request
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/stage", "/principal", "/tenant", "/request", "/signals", "/release", "/now"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	rule.verdict == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	rule.verdict == refusal with input as request
}
