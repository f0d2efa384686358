# METADATA
# title: Supported regions only
# description: >
#   The tenant, and everybody who owns or directs it, is in a region that the provider supports.
# custom:
#   id: region_and_ownership
#   class: provider_baseline
#   statement: Only tenants in supported regions, owned from supported regions, are served.
#   remedy: Ask the provider whether your region is supported; the release says where a tenant is and who owns it.
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
