# METADATA
# title: Foreign intelligence analysis under an exception
# description: >
#   A tenant may analyse foreign intelligence if the provider granted that, under an authority in force and with a
#   model of the level that the exceptions page names. The authority is recorded, and the answer carries an oversight
#   label. For every other tenant the purpose is refused.
# custom:
#   id: foreign_intel_analysis
#   class: provider_baseline
#   statement: >-
#     Foreign intelligence is analysed only by a tenant with a grant for it, under a live authority, with an ASL-2
#     model.
#   remedy: >-
#     Cite an authority with its identifier and period. Where US persons may be concerned, cite 50 USC 1805, or 50 USC
#     1881a for fisa702_query. If your contract lacks the exception, ask the provider for it.
#   relaxed_by: nobody
#   selected_by: grant
#   facts: [tenant.kind, request.purpose, request.authority, request.us_person, request.geo, signals.us_person,
#     tenant.grants, model.levels, now]
#   sources:
#     - {title: "Provider usage policy exceptions page, 16 Mar 2026", read: first_hand}
package brightline.rules.provider_baseline.foreign_intel_analysis

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if {
	not facts.outside("foreign_intelligence")
	not authority
}

verdict := {
	"effect": "allow",
	"rule": about,
	"obligations": [
		{"kind": "oversight_label", "params": {"text": data.brightline.labels.foreign_intelligence}},
		{"kind": "record_authority", "params": {"text": facts.cited}},
	],
	"grants": sort(facts.grants("foreign_intel_analysis")),
} if authority

# The authority that permits it.
authority := facts.live_authority if {
	facts.text(data.brightline.labels.foreign_intelligence)
	"foreign_intelligence" in facts.areas
	count(facts.grants("foreign_intel_analysis")) > 0
	facts.live_authority.citation in object.keys(data.brightline.authorities.foreign_intelligence)
	asl_2
}

# The model has the level ASL-2 and no other level of the RSP.
asl_2 if {
	rated := {rating.level | some rating in input.model.levels; rating.framework == "RSP"}
	rated == {"ASL-2"}
}
