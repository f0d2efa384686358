# METADATA
# title: The model gets no tool that acts outside the agency
# description: Tools that reach people, sensors, other networks or the physical world are removed from the call.
# custom:
#   id: tools_that_act
#   class: agency
#   statement: Tools that act outside the agency are removed from the call.
#   remedy: Run such a tool from the application, after a person has decided.
#   relaxed_by: agency
#   facts: [request.tools]
#   sources:
#     - {title: "Example agency, rules for the use of AI", read: first_hand}
package brightline.agency.example.rules.tools_that_act

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {
	"effect": "allow",
	"rule": about,
	"obligations": [{"kind": "remove_tools", "params": {"effectors": acting}}],
} if not harmless

harmless if facts.only_tools(facts.effectors - {effector | some effector in acting})

acting := ["communication", "sensor_tasking", "cyber", "physical"]
