# METADATA
# title: No sexual content about children
# description: Content that sexualises children is always refused, and what a detector finds has to be reported.
# custom:
#   id: csam
#   class: red_line
#   statement: Nothing that sexualises a child is read, written or passed on.
#   remedy: No approval can override this rule. The gateway keeps a record, and an incident that has to be reported.
#   relaxed_by: nobody
#   facts: [signals.child_safety, tenant.kind]
#   sources:
#     - {title: "Provider constitution, hard constraint 7", read: first_hand}
package brightline.rules.red_line.csam

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
	text := labels.child_safety
	hours := limits.child_safety_hours
}

harmless if facts.unheard("child_safety")

seen if facts.heard("child_safety")
