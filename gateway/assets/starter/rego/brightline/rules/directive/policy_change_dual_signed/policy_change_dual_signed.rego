# METADATA
# title: The provider and the agency signed the release in force
# description: >
#   The provider and the agency agreed to the release in force. Neither disables, degrades or swaps the other's rules
#   alone. No vendor changes a mission system without the government's knowledge and approval.
# custom:
#   id: policy_change_dual_signed
#   class: directive
#   statement: A release decides nothing unless both the provider and the agency signed it.
#   remedy: Tell the operator of the gateway that the release in force lacks a signature.
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
