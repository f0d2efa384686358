# METADATA
# title: No interference in elections
# description: >
#   Democratic processes are not undermined. Help with the administration of an election is permitted inside
#   government. The election's own office writes, and answers for, what goes to voters.
# custom:
#   id: election_interference
#   class: provider_baseline
#   statement: Democratic processes are not undermined with a model.
#   remedy: For the administration of elections, declare that purpose and keep the answer inside government.
#   relaxed_by: nobody
#   facts: [request.purpose, request.channel]
#   sources:
#     - {title: "Provider usage policy, Election Integrity", read: first_hand}
package brightline.rules.provider_baseline.election_interference

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not harmless

harmless if facts.outside("elections")

harmless if {
	facts.outside("influence")
	input.request.channel in {"internal", "interagency"}
}
