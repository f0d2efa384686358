package brightline.rules.agency.ai_only_intel_product_test

import data.brightline.rules.agency.ai_only_intel_product as rule
import data.fixtures

refusal := {"effect": "deny", "id": "ai_only_intel_product"}

product := fixtures.changed({
	"tenant": {"rules": ["ai_only_intel_product"]},
	"request": {"purpose": "intelligence_analysis", "channel": "interagency"},
})

test_silent[note] if {
	some note, request in {
		"another purpose": fixtures.permitted,
		"another purpose, for the public": fixtures.declared({"channel": "public"}),
		"not selected": object.union(product, {"tenant": {"rules": []}}),
		"stays at the desk": object.union(product, {"request": {"channel": "internal"}}),
	}
	not rule.verdict with input as request
}

test_refuses_at_every_stage[note] if {
	some case, request in {
		"nobody can tell where it goes": object.union(product, {"request": {"channel": "odd"}}),
	}
	some stage, staged in fixtures.stages(request)
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as staged
}

test_labels_what_leaves_the_desk[note] if {
	some channel in ["unspecified", "interagency", "public", "foreign", "machine"]
	some stage, request in fixtures.stages(object.union(product, {"request": {"channel": channel}}))
	note := concat(", ", [channel, stage])
	fixtures.says(rule.verdict) == {
		"effect": "allow",
		"id": "ai_only_intel_product",
		"obligations": [{"kind": "label", "params": {"text": "Based solely on AI. Not reviewed by an analyst."}}],
	} with input as request
}

test_refuses_without_the_label if {
	fixtures.says(rule.verdict) == refusal with input as object.union(product, {"request": {"channel": "public"}})
		with data.brightline.labels as object.remove(data.brightline.labels, ["ai_only"])
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/tenant", "/tenant/rules", "/request", "/request/purpose", "/request/channel"]
	some note, request in fixtures.spoiled(product, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
