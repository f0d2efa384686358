# METADATA
# title: No mass surveillance of US persons
# description: >
#   A request does not monitor US persons in bulk, commercially bought data included. What is not stated counts as the
#   worst case: people may be US persons unless stated otherwise, an unknown number of them may be many, and data of
#   unknown origin may have been bought. Work that looks at particular people may include US persons only if they are
#   few and an authority or a consent for that very work covers them. That authority or consent is recorded. None
#   covers the use of force.
# custom:
#   id: us_person_mass_surveillance
#   class: red_line
#   statement: US persons are not monitored in bulk, commercially bought data included.
#   remedy: >-
#     No approval can override this rule. State whether US persons are involved, how many persons the request touches,
#     where they are and where the data came from. If the content shows US persons but none is involved, name the
#     basis. To look at US persons, limit the request to a few of them, and cite an authority for that work that is in
#     force, with its identifier and period. For law enforcement, tracking and records of expression, cite 18 USC 2518
#     or FRCP 41. For records of expression, you can instead name consent as evidence. For intelligence, cite 50 USC
#     1805, or 50 USC 1881a for fisa702_query. For the military, cite the act that expressly allows its part in law
#     enforcement. No authority covers the use of force.
#   relaxed_by: nobody
#   facts:
#     - request.purpose
#     - request.tools
#     - request.us_person
#     - request.geo
#     - request.volume
#     - request.data_origin
#     - request.authority
#     - request.evidence
#     - signals.domestic_surveillance
#     - signals.us_person
#     - now
#     - tenant.kind
#   sources:
#     - {title: "NSPM-11 §2(d)", read: first_hand}
package brightline.rules.red_line.us_person_mass_surveillance

import data.brightline.authorities
import data.brightline.facts
import data.brightline.limits

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not harmless

verdict := {
	"effect": "allow",
	"rule": about,
	"obligations": [{"kind": "record_authority", "params": {"text": paper}} | some paper in papers],
} if {
	harmless
	covered
}

harmless if {
	silent
	facts.outside("domestic_surveillance")
	no_us_persons
}

harmless if {
	silent
	unwatched
	few
}

harmless if {
	silent
	unwatched
	own_records
}

harmless if {
	silent
	narrowed
}

silent if facts.unheard("domestic_surveillance")

# The purpose looks at no particular people, and neither purpose nor tools have to do with weapons.
unwatched if {
	facts.outside("people")
	facts.peaceful
}

few if facts.at_most(input.request.volume.persons, limits.named_subjects)

own_records if {
	input.request.data_origin == "agency_records"
	facts.at_most(input.request.volume.persons, limits.own_records_persons)
}

# Few people are looked at, under an authority or a consent for that work. None covers the use of force.
narrowed if {
	covered
	facts.peaceful
}

# The authorities and consents count at every stage and whatever the scores and the tools, because they have to be
# recorded before the answer and before a call of one tool among many.
covered if {
	facts.outside("domestic_surveillance")
	few
	count(papers) > 0
}

papers contains facts.cited if {
	some area in {"law_enforcement", "tracking", "expression"}
	area in facts.areas
	facts.live_authority.citation in object.keys(authorities.court_orders)
}

papers contains facts.cited if {
	"intelligence" in facts.areas
	facts.live_authority.citation in object.keys(authorities.intelligence_orders)
}

papers contains facts.cited if {
	input.tenant.kind == "dod"
	"law_enforcement" in facts.areas
	facts.live_authority.citation in object.keys(authorities.domestic_support)
}

papers contains concat(" / ", ["consent", consent]) if {
	"expression" in facts.areas
	some consent in facts.proofs("consent")
}

# "No US persons" is accepted unless the rest of the declaration or the content speaks against it.
no_us_persons if {
	facts.no_us_person
	facts.abroad
}

no_us_persons if {
	facts.no_us_person
	few
}

# With few people, what the content shows may concern anybody, so the signal for US persons does not count.
no_us_persons if {
	input.request.us_person.involved == "no"
	facts.peaceful
	few
}

# The purpose looks at no particular people, and the content shows no US persons. Data whose origin is not stated may
# have been bought. The number of people does not count: a request that states it must not fare worse than one that
# leaves it out.
no_us_persons if {
	input.request.us_person.involved == "no"
	facts.outside("people")
	facts.unheard("us_person")
	input.request.data_origin in {"agency_records", "public", "intelligence", "partner", "synthetic"}
}

# In office work whose content shows US persons, it matters whose data it is. The agency writes to people and keeps
# what they wrote, so an address in its own records, or in synthetic data, shows nothing.
no_us_persons if {
	input.request.us_person.involved == "no"
	unwatched
	input.request.data_origin in {"agency_records", "synthetic"}
}

# In the data of others, an address may mean that people are looked at, unless the basis, the places or the number of
# people show otherwise.
no_us_persons if {
	input.request.us_person.involved == "no"
	unwatched
	input.request.data_origin in {"public", "intelligence", "partner"}
	unopposed
}

unopposed if facts.named(input.request.us_person.basis)

unopposed if facts.abroad

unopposed if facts.at_most(input.request.volume.persons, limits.own_records_persons)
