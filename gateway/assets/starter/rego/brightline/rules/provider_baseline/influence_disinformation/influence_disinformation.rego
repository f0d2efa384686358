# METADATA
# title: No disinformation and no covert influence
# description: >
#   No disinformation is written, and no influence whose origin is hidden. Unless people inside government read the
#   answer, a lower score is enough to refuse. Statements under an agency's own name are public affairs.
# custom:
#   id: influence_disinformation
#   class: provider_baseline
#   statement: No disinformation and no covert influence is made with a model.
#   remedy: Declare the channel on which the answer is read, and write under the agency's own name, as public affairs.
#   relaxed_by: nobody
#   facts: [request.purpose, request.channel, signals.influence_operations, tenant.kind]
#   sources:
#     - {title: "Provider usage policy, Misinformation and Influence", read: first_hand}
#     - {title: "Provider usage policy exceptions page, 16 Mar 2026 (keeps it prohibited)", read: first_hand}
package brightline.rules.provider_baseline.influence_disinformation

import data.brightline.facts
import data.brightline.limits

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not harmless

harmless if {
	facts.outside("influence")
	facts.unheard("influence_operations")
	facts.quiet(input.signals.influence_operations, limits.strict)
}

harmless if {
	facts.outside("influence")
	facts.unheard("influence_operations")
	input.request.channel in {"internal", "interagency"}
}
