# METADATA
# title: Intelligence on US persons needs authority and approval
# description: >
#   Intelligence work that concerns US persons cites an authority in force, is for foreign intelligence or
#   counterintelligence, names the determination that its means are the least intrusive, and waits for the approval of
#   the head of the component. The authority is recorded. Persons count as US persons unless the request states that
#   they are not. A person in the United States, or in no stated place, is presumed to be a US person unless the
#   stated basis says why not.
# custom:
#   id: us_person_intel_authority
#   class: law
#   statement: >-
#     Intelligence work about US persons needs a cited authority, a foreign-intelligence or counterintelligence
#     purpose and the least intrusive means.
#   remedy: >-
#     State whether US persons are involved and where the persons are, or the basis on which they are not US persons.
#     State the basis also if the content shows signs of US persons, such as a number, an address or a word. If US
#     persons are involved, an approval alone is not enough. Supply all four: a purpose of foreign intelligence or
#     counterintelligence, the authority and its period, the evidence least_intrusive_means, and an approval. Cite the
#     order or certification that names its subject (50 USC 1805, or 50 USC 1881a for fisa702_query). If you cite only
#     procedures, the rule on mass surveillance still refuses.
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

# The authority is recorded also where none is needed yet, because the answer can show a US person, and then it is too
# late to record it.
verdict := {
	"effect": "allow",
	"rule": about,
	"obligations": [{"kind": "record_authority", "params": {"text": facts.cited}}],
} if lawful

harmless if facts.outside("intelligence")

# Without the list of orders, the rule cannot tell which authority has to be recorded.
harmless if {
	facts.foreign_persons
	is_object(data.brightline.authorities.us_person_intelligence)
}

lawful if {
	foreign_or_counter
	facts.live_authority.citation in object.keys(data.brightline.authorities.us_person_intelligence)
	facts.proven("least_intrusive_means")
	facts.approved
}

foreign_or_counter if "foreign_intelligence" in facts.areas

foreign_or_counter if "counterintelligence" in facts.areas
