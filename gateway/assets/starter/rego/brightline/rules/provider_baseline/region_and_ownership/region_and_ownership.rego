# METADATA
# title: Supported regions only
# description: >
#   The tenant is in a region that the provider supports, and so is everybody who owns or directs the tenant.
# custom:
#   id: region_and_ownership
#   class: provider_baseline
#   statement: Only tenants that are in supported regions and owned from supported regions are served.
#   remedy: Ask the provider whether your region is supported. The release states where a tenant and its owners are.
#   relaxed_by: nobody
#   facts: [tenant.region, tenant.owners]
#   sources:
#     - {title: "Provider supported-regions policy", read: first_hand}
package brightline.rules.provider_baseline.region_and_ownership

import data.brightline.facts
import data.brightline.limits

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not harmless

harmless if {
	facts.texts(input.tenant.owners)
	count(input.tenant.owners) > 0
	every place in [input.tenant.region, input.tenant.owners] {
		supported(place)
	}
}

supported(place) if place in limits.supported_regions

supported(places) if {
	is_array(places)
	every place in places {
		place in limits.supported_regions
	}
}
