# METADATA
# title: The facts are complete
# description: >
#   The facts of the request have the shape that the rules rely on. A decision on anything else would be a guess.
# custom:
#   id: facts_well_formed
#   class: provider_baseline
#   statement: A use is refused unless its facts are complete and have the agreed shape.
#   remedy: Tell the operator of the gateway. The request itself may be in order.
#   relaxed_by: nobody
#   guard: true
#   facts: [stage, principal, tenant, request, model, enclave, signals, safeguards, audit, release, now]
#   sources:
#     - {title: "Brightline decision contract, rego/schemas/input.json", read: first_hand}
package brightline.rules.provider_baseline.facts_well_formed

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not facts.well_formed
