# METADATA
# title: Queries of section 702 data about US persons
# description: >
#   A query for US persons in section 702 data needs a live certification and the approval of the query. Section 702
#   lapsed on 12 Jun 2026, but certifications run until their own end. Therefore the certification's period counts,
#   never the statute's. A certification that is cited for another purpose counts as no authority where US persons may
#   be concerned.
# custom:
#   id: fisa702_us_person_query
#   class: law
#   statement: A query of section 702 data for US persons needs a live certification and the approval of the query.
#   remedy: >-
#     Declare the purpose fisa702_query. Cite 50 USC 1881a with the certification's identifier and period: its
#     beginning and its end, a year apart at most. Name the query approval as process_id.
#   relaxed_by: statute
#   relaxed_how: By procedures that the FISC approved, for the certification that is cited.
#   facts: [tenant.kind, request.purpose, request.authority, request.us_person, request.geo, signals.us_person, now]
#   sources:
#     - {title: "50 USC 1881a", read: general_knowledge}
#     - {title: "Lapse of section 702 on 12 Jun 2026; certifications to about Mar 2027", read: first_hand}
package brightline.rules.law.fisa702_us_person_query

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if {
	not harmless
	not certified
}

# The certification is recorded also where none is needed yet, because the answer can show a US person.
verdict := {
	"effect": "allow",
	"rule": about,
	"obligations": [{"kind": "record_authority", "params": {"text": facts.cited}}],
} if certified

harmless if facts.outside("fisa702")

harmless if facts.foreign_persons

certified if {
	"fisa702" in facts.areas
	facts.live_authority.citation in object.keys(data.brightline.authorities.fisa702)
	facts.named(input.request.us_person.process_id)
}
