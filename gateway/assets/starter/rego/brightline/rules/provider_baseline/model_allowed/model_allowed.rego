# METADATA
# title: The tenant may use the model
# description: The release has the requested model, and the tenant's agreement includes it.
# custom:
#   id: model_allowed
#   class: provider_baseline
#   statement: A request may use only a model of the release that the tenant's agreement includes.
#   remedy: Choose a model that ListModels returns, and write its name exactly as ListModels does.
#   relaxed_by: nobody
#   guard: true
#   facts: [tenant.models, request.model, model.id]
#   sources:
#     - {title: "Agreement of provider and agency, as the release has it in tenants.json", read: first_hand}
package brightline.rules.provider_baseline.model_allowed

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not allowed

allowed if {
	is_string(input.model.id)
	input.model.id == input.request.model
	is_array(input.tenant.models)
	input.model.id in input.tenant.models
}
