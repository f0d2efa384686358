# METADATA
# title: Intelligence on US persons needs authority and approval
# description: >
#   Intelligence work that concerns US persons cites an authority in force, is for foreign intelligence or
#   counterintelligence, names the determination that its means are the least intrusive, and waits for the approval of
#   the head of the component; the authority is recorded. Persons not stated to be other than US persons may be.
#   Whoever is in the United States, or nowhere that is stated, is presumed to be one, unless the stated basis says what
#   speaks against it.
# custom:
#   id: us_person_intel_authority
#   class: law
#   statement: >-
#     Intelligence work about US persons needs a cited authority, a foreign-intelligence or counterintelligence
#     purpose and the least intrusive means.
#   remedy: >-
#     State whether US persons are involved, and where the persons are, or on what basis they are no US persons, as
#     where the content shows what US persons have: a number, an address, a word that says so. If
#     they are, four things are needed, and an approval alone opens nothing: a purpose of foreign intelligence or
#     counterintelligence, the authority and its period, the evidence least_intrusive_means, and an approval. Cite the
#     order or certification that names its subject (50 USC 1805; 50 USC 1881a for fisa702_query): procedures alone leave
#     the rule on mass surveillance closed.
#   relaxed_by: official
#   relaxed_how: By procedures that the Attorney General approved; the head of the component, by an approval that is recorded.
#   facts:
#     - request.purpose
#     - request.us_person
#     - request.geo
#     - request.authority
#     - request.evidence
#     - request.approval
#     - principal.subject
#     - signals.us_person
#     - tenant.kind
#     - now
#   sources:
#     - {title: "EO 12333 §2.3", read: general_knowledge}
#     - {title: "EO 12333 §2.4", read: first_hand}
#     - {title: "DoDM 5240.01, procedures 1 to 10", read: first_hand}
package brightline.rules.law.us_person_intel_authority

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "require_approval", "rule": about} if {
	not harmless
	not lawful
}

verdict := {
	"effect": "allow",
	"rule": about,
	"obligations": [{"kind": "record_authority", "params": {"text": facts.cited}}],
} if {
	not harmless
	lawful
}

harmless if facts.outside("intelligence")

harmless if facts.foreign_persons

lawful if {
	foreign_or_counter
	facts.live_authority.citation in object.keys(data.brightline.authorities.us_person_intelligence)
	facts.proven("least_intrusive_means")
	facts.approved
}

foreign_or_counter if "foreign_intelligence" in facts.areas

foreign_or_counter if "counterintelligence" in facts.areas
