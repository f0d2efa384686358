# METADATA
# title: Markings stay below the ceilings of tenant and model
# description: >
#   The marking of the request and of every document is understood, and neither its level nor any of its controls is
#   beyond what the tenant and the model are cleared for. Marked material inside the ceilings is handled, not refused.
# custom:
#   id: marking_dominance
#   class: directive
#   statement: Markings stay below the ceilings of tenant and model.
#   remedy: Write the banner as the marking manual has it, or use a model and an enclave that are cleared for this marking.
#   relaxed_by: official
#   facts: [request.marking, request.documents, tenant.marking_ceiling, model.marking_ceiling]
#   sources:
#     - {title: "DoDM 5200.01 vol. 2, encl. 4", read: first_hand}
#     - {title: "32 CFR 2002", read: first_hand}
package brightline.rules.directive.marking_dominance

import data.brightline.facts

verdict := {"effect": "deny", "rule": rego.metadata.chain()[1].annotations} if not harmless

harmless if {
	inside(input.request.marking)
	is_array(input.request.documents)
	every document in input.request.documents {
		inside(document)
	}
}

inside(marking) if {
	dominated(marking, input.tenant.marking_ceiling)
	dominated(marking, input.model.marking_ceiling)
}

dominated(marking, ceiling) if {
	facts.natural(marking.level)
	facts.natural(ceiling.level)
	marking.level <= ceiling.level
	is_array(marking.controls)
	is_array(ceiling.controls)
	every control in marking.controls {
		control in ceiling.controls
	}
}
