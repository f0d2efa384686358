# METADATA
# title: No design of weapons
# description: >
#   A model does not design a weapon, make anything into one or plan the delivery of one, whether the purpose or the
#   content says so. Doctrine, history, the law of armed conflict and the maintenance of issued equipment are other
#   purposes.
# custom:
#   id: weapons_design
#   class: provider_baseline
#   statement: Weapons, their making and their delivery are not designed with a model.
#   remedy: >-
#     Choose the purpose that fits what is asked. Engineering of weapons needs a grant from the provider, by contract
#     addendum.
#   relaxed_by: grant
#   relaxed_how: A signed, scoped and expiring addendum of the provider.
#   facts: [request.purpose, signals.weapons_design, tenant.kind]
#   sources:
#     - {title: "Provider usage policy, Weapons", read: first_hand}
package brightline.rules.provider_baseline.weapons_design

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not harmless

harmless if {
	facts.outside("weapons_design")
	facts.unheard("weapons_design")
}
