# METADATA
# title: No illegitimate seizure of power
# description: >
#   Nobody is helped to take or keep absolute control outside the constitution. Continuity of government under law,
#   its history and its study are lawful.
# custom:
#   id: power_seizure
#   class: red_line
#   statement: Nobody is helped to seize illegitimate absolute control.
#   remedy: >-
#     No approval can override this rule. Ask about lawful continuity of government, about history, or about
#     safeguards against such a seizure.
#   relaxed_by: nobody
#   facts: [request.purpose, signals.power_seizure, tenant.kind]
#   sources:
#     - {title: "Provider constitution, hard constraint 6", read: first_hand}
package brightline.rules.red_line.power_seizure

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not harmless

harmless if {
	facts.outside("power")
	facts.unheard("power_seizure")
}
