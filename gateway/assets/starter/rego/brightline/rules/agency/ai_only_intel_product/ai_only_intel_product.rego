# METADATA
# title: Intelligence products made solely by AI are labelled
# description: >
#   An intelligence product that leaves the analyst's desk carries a label that says it was made by AI alone. A
#   product whose channel is not stated counts as leaving the desk. A tenant selects this rule.
# custom:
#   id: ai_only_intel_product
#   class: agency
#   statement: An intelligence product that is based solely on AI is labelled as such.
#   remedy: >-
#     Nothing to do: the label comes with the answer. If the answer stays at the analyst's desk, declare the channel
#     internal.
#   relaxed_by: agency
#   relaxed_how: The agency decides whether to select the rule.
#   selected_by: tenant
#   facts: [tenant.rules, request.purpose, request.channel]
#   sources:
#     - {title: "Agency rule, offered with the pack", read: first_hand}
package brightline.rules.agency.ai_only_intel_product

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if {
	not harmless
	not labelled
}

verdict := {
	"effect": "allow",
	"rule": about,
	"obligations": [{"kind": "label", "params": {"text": data.brightline.labels.ai_only}}],
} if labelled

# The tenant did not select this rule.
harmless if {
	facts.texts(input.tenant.rules)
	not "ai_only_intel_product" in input.tenant.rules
}

harmless if facts.outside("intelligence")

harmless if {
	is_array(facts.areas)
	input.request.channel == "internal"
}

labelled if {
	facts.text(data.brightline.labels.ai_only)
	"ai_only_intel_product" in input.tenant.rules
	"intelligence" in facts.areas
	input.request.channel in {"unspecified", "interagency", "public", "foreign", "machine"}
}
