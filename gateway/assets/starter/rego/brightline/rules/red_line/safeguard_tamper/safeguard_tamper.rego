# METADATA
# title: No undermining of safeguards
# description: >
#   Nobody undermines oversight, evades the records, bypasses a model's safeguards or extracts a model's abilities in
#   bulk. Agreed testing of safeguards, and reading about safeguards, stay below the threshold. A detected attempt is
#   an incident with a deadline for its report. Content that could not be judged is refused without an incident.
# custom:
#   id: safeguard_tamper
#   class: red_line
#   statement: >-
#     Oversight and safeguards are not undermined, by content or by taking a model's answers in bulk to train another
#     model.
#   remedy: >-
#     No approval can override this rule. For agreed testing, use the provider's own testing terms. For training data,
#     state how many records.
#   relaxed_by: nobody
#   facts: [request.purpose, request.volume, signals.safeguard_tampering, tenant.kind]
#   sources:
#     - {title: "Provider constitution, hard constraint 4", read: first_hand}
package brightline.rules.red_line.safeguard_tamper

import data.brightline.facts
import data.brightline.labels
import data.brightline.limits

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if {
	not harmless
	not incident
}

verdict := {
	"effect": "deny",
	"rule": about,
	"obligations": [incident],
} if incident

# Undefined if the policy's own data lacks the text or the deadline. The use is then refused without an incident.
incident := {"kind": "incident", "params": {"text": text, "report_within_hours": hours}} if {
	seen
	text := labels.safeguard_tampering
	hours := limits.safeguard_tampering_hours
}

harmless if {
	facts.unheard("safeguard_tampering")
	facts.outside("model_training")
}

harmless if {
	facts.unheard("safeguard_tampering")
	facts.at_most(input.request.volume.records, limits.training_records)
}

seen if facts.heard("safeguard_tampering")

seen if {
	"model_training" in facts.areas
	facts.natural(input.request.volume.records)
	input.request.volume.records > limits.training_records
}
