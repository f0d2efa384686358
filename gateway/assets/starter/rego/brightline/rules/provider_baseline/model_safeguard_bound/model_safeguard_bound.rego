# METADATA
# title: Safeguards go with capability
# description: >
#   A model is asked only while the safeguards that its level and its manifest require are live, as measured for this
#   very decision, and while the report that the level rests on holds. A level or a framework that is not known
#   refuses. It is an if-then commitment: nothing here says that work stops at a level.
# custom:
#   id: model_safeguard_bound
#   class: provider_baseline
#   statement: A model at a high capability level runs only with its required safeguards live.
#   remedy: >-
#     Tell whoever runs the gateway: a detector is not answering, or the model's manifest or report needs renewal by
#     the provider.
#   relaxed_by: nobody
#   facts: [model.levels, model.safeguards, model.report, safeguards, now]
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
		safeguard in input.safeguards
	}
	current
}

# One of the sets of safeguards that the level asks for is live, whole.
met(alternatives) if {
	some wanted in alternatives
	every safeguard in wanted {
		safeguard in input.safeguards
	}
}

# The report is out, and not out of date.
current if {
	report := input.model.report
	facts.text(report.reference)
	facts.natural(report.issued)
	facts.natural(report.expires)
	facts.natural(input.now)
	report.issued <= input.now
	input.now <= report.expires
}
