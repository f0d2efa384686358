# METADATA
# title: No attack on critical infrastructure
# description: >
#   Content about attacking the power grid, water, financial or safety systems is refused. Where tools can act on
#   machines or networks, a lower score is enough to refuse. Running, restoring and defending such systems is lawful.
# custom:
#   id: critical_infrastructure_attack
#   class: red_line
#   statement: A model is not used to attack power, water, financial or safety systems.
#   remedy: >-
#     No approval can override this rule. Ask about protecting or restoring the system, and leave out tools that act
#     on it.
#   relaxed_by: nobody
#   facts: [request.tools, signals.critical_infrastructure, tenant.kind]
#   sources:
#     - {title: "Provider constitution, hard constraint 2", read: first_hand}
package brightline.rules.red_line.critical_infrastructure_attack

import data.brightline.facts
import data.brightline.limits

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not harmless

harmless if {
	facts.unheard("critical_infrastructure")
	facts.quiet(input.signals.critical_infrastructure, limits.strict)
}

harmless if {
	facts.unheard("critical_infrastructure")
	facts.only_tools({"read_only", "digital_write", "communication", "sensor_tasking"})
}
