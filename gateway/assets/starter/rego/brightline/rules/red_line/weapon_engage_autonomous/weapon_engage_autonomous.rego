# METADATA
# title: A human selects the target
# description: >
#   No target is selected and engaged without a human who selected it. The ability to override is not a selection, so
#   operator-supervised use is refused like autonomous use. Use whose autonomy is not stated is refused too. Unless an
#   operator selects the target, an answer is also refused if a program acts on it or if it is not stated that people
#   read it. The terms for autonomy are those of DoDD 3000.09, which itself bans nothing.
# custom:
#   id: weapon_engage_autonomous
#   class: red_line
#   statement: No target is selected and engaged without a human who selected it.
#   remedy: >-
#     No approval can override this rule. Leave the selection of targets to a person, and declare the autonomy of the
#     system and the channel on which people read the answer.
#   relaxed_by: nobody
#   facts: [request.purpose, request.tools, request.autonomy, request.channel, signals.autonomous_targeting, tenant.kind]
#   sources:
#     - {title: "Provider statement, 26 Feb 2026", read: first_hand}
#     - {title: "OpenAI-DoW agreement page", read: first_hand}
package brightline.rules.red_line.weapon_engage_autonomous

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not harmless

harmless if {
	silent
	facts.peaceful
}

harmless if {
	silent
	is_array(facts.areas)
	human_selects
}

silent if facts.unheard("autonomous_targeting")

human_selects if facts.people_decide

human_selects if input.request.autonomy == "semi_autonomous"
