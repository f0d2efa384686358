# METADATA
# title: No mass surveillance of US persons
# description: >
#   A request does not monitor US persons in bulk, commercially bought data included. What is not stated counts as the
#   worst case: people not said to be other than US persons may be, an unknown number of them may be many, and data of
#   an unknown origin may have been bought.
# custom:
#   id: us_person_mass_surveillance
#   class: red_line
#   statement: US persons are not monitored in bulk, commercially bought data included.
#   remedy: >-
#     No approval opens this. State whether US persons are involved, how many persons the request touches, where they
#     are and where the data came from, or narrow it to named subjects under a cited authority that is in force.
#   relaxed_by: nobody
#   facts: [request.purpose, request.us_person, request.geo, request.volume, request.data_origin, request.authority, signals.domestic_surveillance,
#     signals.us_person, now, tenant.kind]
#   sources:
#     - {title: "NSPM-11 §2(d)", read: first_hand}
package brightline.rules.red_line.us_person_mass_surveillance

import data.brightline.facts
import data.brightline.limits

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not harmless

harmless if {
	silent
	facts.outside("domestic_surveillance")
	no_us_persons
}

harmless if {
	silent
	facts.outside("people")
	few
}

harmless if {
	silent
	facts.outside("people")
	own_records
}

harmless if {
	silent
	facts.outside("domestic_surveillance")
	few
	facts.live_authority.citation in object.keys(data.brightline.authorities.targeted)
}

silent if facts.unheard("domestic_surveillance")

few if facts.at_most(input.request.volume.persons, limits.named_subjects)

own_records if {
	input.request.data_origin == "agency_records"
	facts.at_most(input.request.volume.persons, limits.own_records_persons)
}

# "No US persons" is believed where nothing else speaks against it: what was declared, and what the content shows.
no_us_persons if {
	facts.no_us_person
	facts.abroad
}

no_us_persons if {
	input.request.us_person.involved == "no"
	few
}

# Where nobody in particular is looked at. Data whose origin is not stated may have been bought. The number counts no more
# than where it is left out: who states it must not come off worse.
no_us_persons if {
	input.request.us_person.involved == "no"
	facts.outside("people")
	input.request.data_origin in {"agency_records", "public", "intelligence", "partner", "synthetic"}
}
