# METADATA
# title: No uplift to mass-casualty weapons
# description: >
#   Content that would help towards chemical, biological, radiological or nuclear weapons is refused. A model above
#   the base level of its framework is judged more strictly, because it could help more. Protection, treatment and
#   arms control are lawful and stay below the threshold.
# custom:
#   id: cbrn_uplift
#   class: red_line
#   statement: >-
#     Nobody is given serious help towards mass-casualty chemical, biological, radiological or nuclear weapons.
#   remedy: >-
#     No approval can override this rule. Ask about protection, detection, treatment or verification, but not about
#     making weapons.
#   relaxed_by: nobody
#   facts: [signals.cbrn, model.levels, tenant.kind]
#   sources:
#     - {title: "Provider constitution, hard constraint 1", read: first_hand}
package brightline.rules.red_line.cbrn_uplift

import data.brightline.facts
import data.brightline.limits

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not harmless

harmless if {
	facts.unheard("cbrn")
	facts.quiet(input.signals.cbrn, limits.strict)
}

harmless if {
	facts.unheard("cbrn")
	facts.base_model
}
