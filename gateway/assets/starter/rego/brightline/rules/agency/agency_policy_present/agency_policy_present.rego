# METADATA
# title: The agency's own policy is in force
# description: If a tenant selected an agency policy, every decision about the tenant applies that policy.
# custom:
#   id: agency_policy_present
#   class: agency
#   statement: A decision about a tenant that selected an agency policy applies that policy.
#   remedy: Tell the operator of the gateway that the release lacks the agency policy that the tenant selected.
#   relaxed_by: nobody
#   guard: true
#   facts: [tenant.policy]
#   sources:
#     - {title: "Brightline release format, tenants.json", read: first_hand}
package brightline.rules.agency.agency_policy_present

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not present

present if input.tenant.policy == ""

present if is_set(data.brightline.agency[input.tenant.policy].verdicts)
