# METADATA
# title: Every tool states what it can do
# description: >
#   A tool without an effector is refused. Every rule that looks at tools treats such a tool as the worst it could be.
# custom:
#   id: tool_effector_stated
#   class: provider_baseline
#   statement: Every tool that is offered states what it can do.
#   remedy: State the effector of every tool.
#   relaxed_by: nobody
#   guard: true
#   facts: [request.tools]
#   sources:
#     - {title: "Brightline wire contract, Tool.effector", read: first_hand}
package brightline.rules.provider_baseline.tool_effector_stated

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not stated

stated if facts.only_tools(facts.effectors - {"unspecified"})
