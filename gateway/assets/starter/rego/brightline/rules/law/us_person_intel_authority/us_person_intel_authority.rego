# METADATA
# title: Intelligence on US persons needs authority and approval
# description: >
#   Intelligence work that concerns US persons waits for a person's approval, under a cited authority in force, with a
#   stated basis that says why the means are the least intrusive. Whether US persons are concerned counts as yes where
#   it is not stated as no.
# custom:
#   id: us_person_intel_authority
#   class: law
#   statement: >-
#     Intelligence work about US persons needs a cited authority, a foreign-intelligence or counterintelligence
#     purpose and the least intrusive means.
#   remedy: >-
#     State whether US persons are involved; if they are, cite the authority and its period, give the basis, and
#     obtain an approval.
#   relaxed_by: official
#   relaxed_how: By procedures that the Attorney General approved; the head of the component.
#   facts: [request.purpose, request.us_person, request.authority, request.approval, principal.subject, now]
#   sources:
#     - {title: "EO 12333 §2.3", read: general_knowledge}
#     - {title: "EO 12333 §2.4", read: first_hand}
#     - {title: "DoDM 5240.01, procedures 1 to 10", read: first_hand}
package brightline.rules.law.us_person_intel_authority

import data.brightline.facts

verdict := {"effect": "require_approval", "rule": rego.metadata.chain()[1].annotations} if not harmless

harmless if facts.outside("intelligence")

harmless if input.request.us_person.involved == "no"

harmless if {
	"intelligence" in facts.areas
	facts.live_authority.citation in object.keys(data.brightline.authorities.us_person_intelligence)
	facts.text(input.request.us_person.basis)
	facts.approved
}
