# METADATA
# title: Queries of 702 data about US persons
# description: >
#   A query for US persons in data of section 702 needs a certification that is live and the approval of the query.
#   The section lapsed on 12 Jun 2026; certifications run on to their own end, so it is the certification's period
#   that counts, never the statute's.
# custom:
#   id: fisa702_us_person_query
#   class: law
#   statement: A query of section 702 data for US persons needs a live certification and the approval of the query.
#   remedy: >-
#     Cite 50 USC 1881a with the certification's identifier and period, and name the query approval as process_id.
#   relaxed_by: statute
#   relaxed_how: By procedures that the FISC approved, for the certification that is cited.
#   facts: [request.purpose, request.authority, request.us_person, now]
#   sources:
#     - {title: "50 USC 1881a", read: general_knowledge}
#     - {title: "Lapse of section 702 on 12 Jun 2026; certifications to about Mar 2027", read: first_hand}
package brightline.rules.law.fisa702_us_person_query

import data.brightline.facts

verdict := {"effect": "deny", "rule": rego.metadata.chain()[1].annotations} if not harmless

verdict := {
	"effect": "allow",
	"rule": rego.metadata.chain()[1].annotations,
	"obligations": [{"kind": "record_authority", "params": {"text": facts.cited}}],
} if certified

harmless if facts.outside("fisa702")

harmless if input.request.us_person.involved == "no"

harmless if certified

certified if {
	"fisa702" in facts.areas
	facts.live_authority.citation in object.keys(data.brightline.authorities.fisa702)
	facts.text(input.request.us_person.process_id)
}
