# METADATA
# title: The military does not enforce domestic law
# description: >
#   A tenant of the Department of Defense does no law enforcement in the United States, unless it cites a statute that
#   expressly allows the work. The work counts as being in the United States unless all of it is stated to be
#   elsewhere. Support to domestic law enforcement always counts as being there.
# custom:
#   id: military_domestic_law_enforcement
#   class: law
#   statement: A military tenant does no law enforcement in the United States.
#   remedy: >-
#     State where the subject is, or cite the statute that expressly allows the work, with its identifier and period.
#     A court order is not such a statute. Where US persons are concerned, the statute covers only a few of them.
#   relaxed_by: statute
#   relaxed_how: An act of Congress that expressly allows the work, cited.
#   facts: [tenant.kind, request.purpose, request.geo, request.us_person, request.authority,
#     signals.us_person, now]
#   sources:
#     - {title: "18 USC 1385", read: first_hand}
#     - {title: "10 USC 275", read: first_hand}
package brightline.rules.law.military_domestic_law_enforcement

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not harmless

verdict := {
	"effect": "allow",
	"rule": about,
	"obligations": [{"kind": "record_authority", "params": {"text": facts.cited}}],
} if excepted

harmless if input.tenant.kind in {"civil", "intelligence", "law_enforcement"}

harmless if facts.outside("law_enforcement")

harmless if {
	facts.outside("domestic")
	facts.abroad
}

harmless if excepted

excepted if {
	input.tenant.kind == "dod"
	"law_enforcement" in facts.areas
	facts.live_authority.citation in object.keys(data.brightline.authorities.domestic_support)
}
