# METADATA
# title: Safeguards match capability
# description: >
#   A model is asked only while the safeguards that its level and its manifest require are measured as live, while its
#   manifest and the report behind its level are in force, and in an enclave that the manifest names. An unknown
#   level, framework or safeguard is refused. The rule is an if-then commitment: nothing here says that work stops at
#   a level.
# custom:
#   id: model_safeguard_bound
#   class: provider_baseline
#   statement: A model at a high capability level runs only with its required safeguards live.
#   remedy: >-
#     Tell the operator of the gateway. A detector is not answering, the provider has to renew the model's manifest or
#     report, or the model is not for this enclave.
#   relaxed_by: nobody
#   facts: [model.levels, model.safeguards, model.report, model.issued, model.expires, model.enclaves, enclave.name, safeguards, now]
#   sources:
#     - {title: "RSP v2.0 to v2.2, deployment standard", read: first_hand}
#     - {title: "RSP v3.4, 8 Jul 2026", read: first_hand}
#     - {title: "OpenAI Preparedness Framework v2", read: first_hand}
#     - {title: "DeepMind Frontier Safety Framework v3.1", read: first_hand}
package brightline.rules.provider_baseline.model_safeguard_bound

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not harmless

harmless if {
	count(input.model.levels) > 0
	every rated in input.model.levels {
		met(data.brightline.levels[rated.framework][rated.level].any_of)
	}
	facts.texts(input.model.safeguards)
	every safeguard in input.model.safeguards {
		input.safeguards[safeguard] == "live"
	}
	current(input.model.report)
	current(input.model)
	facts.texts(input.model.enclaves)
	input.enclave.name in input.model.enclaves
	facts.text(input.model.report.reference)
}

# Every safeguard is live in at least one of the sets that the level accepts.
met(alternatives) if {
	some wanted in alternatives
	every safeguard in wanted {
		input.safeguards[safeguard] == "live"
	}
}

# The report or the manifest has been issued and has not expired.
current(paper) if {
	facts.natural(paper.issued)
	facts.natural(paper.expires)
	facts.natural(input.now)
	paper.issued <= input.now
	input.now <= paper.expires
}
