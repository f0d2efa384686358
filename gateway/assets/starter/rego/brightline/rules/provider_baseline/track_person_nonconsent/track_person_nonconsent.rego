# METADATA
# title: No tracking of persons without their consent
# description: >
#   Persons are not tracked by location, communications or emotion without their consent. The same holds for facial
#   recognition, battlefield management and predictive policing of persons.
# custom:
#   id: track_person_nonconsent
#   class: provider_baseline
#   statement: Persons are not tracked, recognised by face or subjected to predictive policing without their consent.
#   remedy: >-
#     Choose the purpose that fits what is asked. For tracking, ask the provider: only the provider can agree to it,
#     in the contract.
#   relaxed_by: grant
#   facts: [request.purpose, signals.domestic_surveillance, signals.person_tracking, tenant.kind]
#   sources:
#     - {title: "Provider usage policy, Criminal Justice, Censorship, Surveillance", read: first_hand}
package brightline.rules.provider_baseline.track_person_nonconsent

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not harmless

harmless if {
	facts.outside("tracking")
	facts.unheard("domestic_surveillance")
	facts.unheard("person_tracking")
}
