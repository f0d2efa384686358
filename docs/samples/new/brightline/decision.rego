# METADATA
# title: A sample policy
# description: The policy of old/ with three changes, whose effect is to be measured.
package brightline

# METADATA
# title: Decision
# entrypoint: true
default decision := {"effect": "deny", "rules": [], "obligations": [], "grants": [], "revision": ""}

decision := {
	"effect": effect,
	"rules": [rule | some rule in refusals],
	"obligations": [obligation | some obligation in obligations],
	"grants": [],
	"revision": data.release.revision,
}

default effect := "allow"

effect := "deny" if "deny" in {rule.effect | some rule in refusals}

else := "require_approval" if "require_approval" in {rule.effect | some rule in refusals}

refusals contains says("bulk_data", "deny", "No bulk data about persons") if {
	not input.request.volume.persons <= data.brightline.limits.persons
	input.request.data_origin == "commercial"
}

refusals contains says("quiet_content", "deny", "Content stays below the threshold of every detector") if {
	some _, score in input.signals
	not score < data.brightline.limits.score
}

refusals contains says("machine_answers", "require_approval", "A person releases what a machine acts on") if {
	input.request.channel == "machine"
	is_null(input.request.approval)
}

obligations contains {"kind": "label", "params": {"text": "Produced with AI."}} if {
	effect != "deny"
	input.request.channel == "public"
}

says(id, effect_, title) := {
	"id": id,
	"class": "agency",
	"title": title,
	"remedy": "Ask the policy team.",
	"sources": [{"title": "The sample agency's rules", "read": "first_hand"}],
	"effect": effect_,
}
