package brightline.agency.example.rules.ai_only_product_test

import data.brightline.agency.example.rules.ai_only_product as rule
import data.fixtures

obliging := {
	"effect": "allow",
	"id": "ai_only_product",
	"obligations": [
		{"kind": "label", "params": {"text": "Produced with AI and not yet reviewed by a person."}},
		{"kind": "max_tokens", "params": {"limit": 2048}},
	],
}

test_silent_inside if not rule.verdict with input as fixtures.permitted

test_labels_what_leaves[channel] if {
	some channel in ["unspecified", "interagency", "public", "foreign", "machine"]
	fixtures.says(rule.verdict) == obliging with input as fixtures.declared({"channel": channel})
}

test_labels_spoiled_facts[note] if {
	some pointer in ["/request", "/request/channel"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	fixtures.says(rule.verdict) == obliging with input as request
}

test_obliges_without_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == obliging with input as request
}
