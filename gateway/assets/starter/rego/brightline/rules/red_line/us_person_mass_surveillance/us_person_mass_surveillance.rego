# METADATA
# title: No mass surveillance of US persons
# description: >
#   A request does not monitor US persons in bulk, commercially bought data included. What is not stated counts as the
#   worst case: people not said to be other than US persons may be, and an unknown number of them may be many.
# custom:
#   id: us_person_mass_surveillance
#   class: red_line
#   statement: US persons are not monitored in bulk, commercially bought data included.
#   remedy: >-
#     No approval opens this. State whether US persons are involved and how many persons the request touches, or narrow
#     it to named subjects under a cited authority that is in force.
#   relaxed_by: nobody
#   facts: [request.purpose, request.us_person, request.geo, request.volume, request.data_origin, request.authority, signals.domestic_surveillance, now]
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

# "No US persons" is believed where nothing else that was declared speaks against it.
no_us_persons if {
	input.request.us_person.involved == "no"
	facts.abroad
}

no_us_persons if {
	input.request.us_person.involved == "no"
	few
}

no_us_persons if {
	input.request.us_person.involved == "no"
	is_null(input.request.volume.persons)
	input.request.data_origin in {"unspecified", "agency_records", "public", "intelligence", "partner", "synthetic"}
	not_watched_at_home
}

not_watched_at_home if facts.outside("people")

# To leave out how many people in the United States are looked at is not to look at few.
not_watched_at_home if facts.elsewhere
