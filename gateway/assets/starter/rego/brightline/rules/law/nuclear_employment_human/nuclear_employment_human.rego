# METADATA
# title: Positive human action in nuclear employment
# description: >
#   Nothing replaces positive human action in a decision to use nuclear weapons. The rule refuses that purpose,
#   content about it, and any tool that could be part of it. The source is a statement of policy.
# custom:
#   id: nuclear_employment_human
#   class: law
#   statement: Nothing replaces positive human action in nuclear employment.
#   remedy: >-
#     No approval can override this rule. State what each tool can do, and leave out tools that take part in nuclear
#     employment.
#   relaxed_by: nobody
#   facts: [request.purpose, request.tools, signals.nuclear_command, tenant.kind]
#   sources:
#     - {title: "FY25 NDAA §1638 (statement of policy)", read: first_hand}
#     - {title: "2022 Nuclear Posture Review", read: first_hand}
package brightline.rules.law.nuclear_employment_human

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not harmless

harmless if {
	facts.outside("nuclear")
	facts.conventional
	facts.unheard("nuclear_command")
}
