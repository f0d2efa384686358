# METADATA
# title: Content that may concern US persons is kept for inspectors
# description: >
#   Where US persons may be concerned, question and answer are sealed. Two reviewers can open them together.
# custom:
#   id: kept_for_inspection
#   class: agency
#   statement: Where US persons may be concerned, question and answer are kept sealed for inspectors.
#   remedy: If no US persons are concerned, declare that.
#   relaxed_by: agency
#   facts: [request.us_person.involved]
#   sources:
#     - {title: "Example agency, rules for the use of AI", read: first_hand}
package brightline.agency.example.rules.kept_for_inspection

about := rego.metadata.chain()[1].annotations

verdict := {
	"effect": "allow",
	"rule": about,
	"obligations": [{"kind": "seal_content", "params": {"class": "standard"}}],
} if not unconcerned

unconcerned if input.request.us_person.involved == "no"
