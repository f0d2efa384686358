# METADATA
# title: No determinations about a person's liberty
# description: >
#   A model makes no determination about parole, bail, sentence or anything else that takes a person's liberty. In law
#   enforcement, no system or program acts on the model's answer unless a person decides each action.
# custom:
#   id: criminal_justice_determination
#   class: provider_baseline
#   statement: A model makes no determination about parole, sentence or liberty.
#   remedy: >-
#     Ask for summaries or for the law. Let a person decide, and declare that: set autonomy to none or recommend, and
#     the channel to one on which people read the answer.
#   relaxed_by: grant
#   relaxed_how: A signed, scoped and expiring addendum of the provider.
#   facts: [request.purpose, request.autonomy, request.channel, signals.criminal_justice, tenant.kind]
#   sources:
#     - {title: "Provider usage policy, Criminal Justice, Censorship, Surveillance", read: first_hand}
package brightline.rules.provider_baseline.criminal_justice_determination

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not harmless

harmless if {
	quiet
	facts.outside("law_enforcement")
}

harmless if {
	quiet
	facts.people_decide
}

quiet if {
	facts.outside("criminal_justice")
	facts.unheard("criminal_justice")
}
