# METADATA
# title: An answer outside the internal channel is labelled as made with AI
# description: An answer on any channel but the internal one carries a label, and stays short enough to be reviewed.
# custom:
#   id: ai_only_product
#   class: agency
#   statement: An answer on any channel but the internal one says that it was made with AI.
#   remedy: Keep the answer internal, or publish it with its label.
#   relaxed_by: agency
#   facts: [request.channel]
#   sources:
#     - {title: "Example agency, rules for the use of AI", read: first_hand}
package brightline.agency.example.rules.ai_only_product

about := rego.metadata.chain()[1].annotations

verdict := {
	"effect": "allow",
	"rule": about,
	"obligations": [
		{"kind": "label", "params": {"text": "Produced with AI and not yet reviewed by a person."}},
		{"kind": "max_tokens", "params": {"limit": 2048}},
	],
} if not internal

internal if input.request.channel == "internal"
