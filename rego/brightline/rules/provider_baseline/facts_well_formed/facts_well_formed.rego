# METADATA
# title: The facts are complete
# description: The facts of the request have the shape that rules rely on; a decision on anything else would be a guess.
# custom:
#   id: facts_well_formed
#   class: provider_baseline
#   statement: A decision is made on complete facts of the agreed shape, or the use is refused.
#   remedy: Tell whoever runs the gateway; the request itself may be in order.
#   relaxed_by: nobody
#   guard: true
#   facts: [stage, principal, tenant, request, model, enclave, signals, safeguards, audit, release, now]
#   sources:
#     - {title: "Brightline decision contract, rego/schemas/input.json", read: first_hand}
package brightline.rules.provider_baseline.facts_well_formed

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not facts.well_formed
