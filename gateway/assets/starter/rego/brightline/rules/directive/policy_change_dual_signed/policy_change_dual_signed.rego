# METADATA
# title: Both sides signed what is in force
# description: >
#   What is in force was agreed by the provider and by the agency. Neither disables, degrades or swaps the other's
#   rules alone, and no vendor changes a mission system without the government's knowledge and approval.
# custom:
#   id: policy_change_dual_signed
#   class: directive
#   statement: A release that not both the provider and the agency signed decides nothing.
#   remedy: >-
#     Tell whoever runs the gateway: the release in force lacks a signature.
#   relaxed_by: nobody
#   facts: [release.signers]
#   sources:
#     - {title: "NSPM-11 §2(c)", read: first_hand}
package brightline.rules.directive.policy_change_dual_signed

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not harmless

harmless if {
	facts.texts(input.release.signers)
	every holder in ["agency", "provider"] {
		holder in input.release.signers
	}
}
