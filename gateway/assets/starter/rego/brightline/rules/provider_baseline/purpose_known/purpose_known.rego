# METADATA
# title: The purpose is known and agreed
# description: The declared purpose is on the closed list, and is one of the purposes agreed for the tenant.
# custom:
#   id: purpose_known
#   class: provider_baseline
#   statement: Every use has a purpose from the closed list that the tenant's agreement includes.
#   remedy: Declare a purpose from the list in the caller's guide that your agency's agreement includes.
#   relaxed_by: nobody
#   guard: true
#   facts: [tenant.purposes, request.purpose]
#   sources:
#     - {title: "Agreement of provider and agency, as the release has it in tenants.json", read: first_hand}
package brightline.rules.provider_baseline.purpose_known

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not known

known if {
	is_array(facts.areas)
	is_array(input.tenant.purposes)
	input.request.purpose in input.tenant.purposes
}
