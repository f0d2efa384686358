# METADATA
# title: Markings stay within the ceilings, and the output is marked as high as its input
# description: >
#   The marking of the request and of every document must be understood. Its level, its controls and its permitted
#   recipients must be within what the tenant, the model and the enclave are cleared for. A banner line or a portion
#   mark in the content counts as the marking of a document. The decision obliges the gateway to mark the output with
#   the highest of these markings, and the output's audience must be permitted to have it. Marked material within the
#   ceilings is handled, not refused.
# custom:
#   id: marking_dominance
#   class: directive
#   statement: >-
#     Input stays within the ceilings of tenant, model and enclave, and output is marked as high as the highest input.
#   remedy: >-
#     Write the banner as the marking manual specifies. Or use a model, an enclave and a channel that are cleared for
#     this marking and for every marking in the content.
#   relaxed_by: official
#   relaxed_how: >-
#     The classification authority, by assigning another marking; or a cross-domain solution, outside this gateway.
#   facts:
#     - request.marking
#     - request.documents
#     - request.output_marking
#     - request.channel
#     - tenant.marking_ceiling
#     - model.marking_ceiling
#     - enclave.marking_ceiling
#   sources:
#     - {title: "DoDM 5200.01 vol. 2, encl. 4", read: first_hand}
#     - {title: "32 CFR 2002", read: first_hand}
package brightline.rules.directive.marking_dominance

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not harmless

output := input.request.output_marking

# Dominance is transitive: a ceiling that dominates the output marking also dominates every marking of the input.
harmless if {
	facts.text(output.banner)
	dominated(input.request.marking, output)
	is_array(input.request.documents)
	every document in input.request.documents {
		dominated(document, output)
	}
	dominated(output, input.tenant.marking_ceiling)
	dominated(output, input.model.marking_ceiling)
	dominated(output, input.enclave.marking_ceiling)
	audience
}

# The audience may have the output: anybody if nothing limits it, otherwise an audience inside government.
audience if dominated(output, {"level": 0, "controls": [], "release_to": null})

audience if input.request.channel in {"internal", "interagency", "machine"}

# A foreign audience may have the output if the tenant's ceiling names a foreign recipient.
audience if {
	input.request.channel == "foreign"
	some reader in input.tenant.marking_ceiling.release_to
	not reader in {"USA", "RELIDO", "UNSTATED"}
	not startswith(reader, "DISPLAY ")
}

# The ceiling dominates the marking: whoever may hold material of the ceiling may hold material of the marking.
dominated(marking, ceiling) if {
	facts.natural(marking.level)
	facts.natural(ceiling.level)
	marking.level <= ceiling.level
	is_array(marking.controls)
	is_array(ceiling.controls)
	every control in marking.controls {
		covered(control, ceiling)
	}
	released(marking.release_to, ceiling.release_to)
}

covered(control, ceiling) if control in ceiling.controls

# Any classified ceiling covers these controls.
covered(control, ceiling) if {
	control in {"DOD UCNI", "DOE UCNI", "LIMDIS", "SBU"}
	ceiling.level >= 2
}

# The material is released to everybody whom the ceiling names. Null means everybody.
released(readers, _) if is_null(readers)

released(readers, wanted) if {
	is_array(readers)
	is_array(wanted)
	"USA" in wanted
	every reader in wanted {
		given(reader, readers)
	}
}

given(reader, readers) if reader in readers

given(reader, readers) if trim_prefix(reader, "DISPLAY ") in readers
