# METADATA
# title: Brightline decision
# description: >
#   Decides whether one use of a model is permitted, at each stage: the request, the response and each tool call.
#   Rules are found by their path: rules/<class>/<id> for every tenant, agency/<policy> for tenants that selected that
#   policy.
package brightline

import data.brightline.facts

# METADATA
# title: Decision
# description: >
#   The effect is allow only if the facts have the right shape and no verdict is stricter. The strictest verdict of
#   all layers counts. A refusal without rules and without a revision means that the policy's own data is incomplete.
# entrypoint: true
default decision := {"effect": "deny", "rules": [], "obligations": [], "grants": [], "revision": ""}

decision := {
	"effect": effect,
	"rules": [rule | some [_, _, _, rule] in sort(refusals)],
	"obligations": sort(obligations),
	"grants": sort(grants),
	"revision": data.release.revision,
}

# Smaller is stricter.
strictness := {"deny": 0, "require_approval": 1, "allow": 2}

# The order in which rules of the same strictness are listed.
precedence := {"red_line": 0, "provider_baseline": 1, "law": 2, "directive": 3, "agency": 4}

default effect := "deny"

effect := "require_approval" if {
	facts.well_formed
	strictest == strictness.require_approval
}

effect := "allow" if {
	facts.well_formed
	strictest == strictness.allow
}

strictest := min({strictness.allow} | {strict | some [strict, _, _, _] in refusals})

# The verdicts of the rules, as [layer, verdict]. A verdict is {effect, rule}, where rule is the annotations of the
# rule's package. A verdict may also have obligations and grants.
verdicts contains [layer, verdict] if {
	some layer, id
	verdict := data.brightline.rules[layer][id].verdict
}

# This is one lookup, not a search: a thousand agency policies cost no more than one.
verdicts contains ["agency", verdict] if {
	some verdict in data.brightline.agency[input.tenant.policy].verdicts
}

# As [strictness, precedence, id, rule], so that sorting puts the strictest first.
refusals contains refusal(verdict) if {
	some [layer, verdict] in verdicts
	readable(layer, verdict)
	verdict.effect != "allow"
	count(relaxing(layer, verdict)) == 0
}

refusals contains refusal(unreadable) if {
	some [layer, verdict] in verdicts
	not readable(layer, verdict)
}

# The tenant's grants that relax this rule. Grants relax only rules of class provider_baseline with relaxed_by grant.
relaxing("provider_baseline", verdict) := facts.grants(verdict.rule.custom.id) if {
	verdict.rule.custom.relaxed_by == "grant"
} else := set()

relaxing(layer, _) := set() if layer != "provider_baseline"

# Output made from marked material bears the output marking. marking_dominance refuses a marking that cannot be stated.
obligations contains {"kind": "output_marking", "params": {"text": input.request.output_marking.banner}} if {
	effect != "deny"
}

# The obligations of the verdicts, and the conditions of the grants that were used. A refusal keeps only two kinds of
# obligation: to report an incident, and to seal the content.
obligations contains obligation if {
	some [_, verdict] in verdicts
	some obligation in object.get(verdict, "obligations", [])
	kept(obligation)
}

obligations contains condition if {
	effect != "deny"
	some grant in input.tenant.grants
	grant.id in grants
	some condition in grant.conditions
}

kept(_) if effect != "deny"

kept(obligation) if obligation.kind in {"incident", "seal_content"}

grants contains grant if {
	effect != "deny"
	some [layer, verdict] in verdicts
	verdict.effect != "allow"
	some grant in relaxing(layer, verdict)
}

grants contains grant if {
	effect != "deny"
	some [_, verdict] in verdicts
	some grant in object.get(verdict, "grants", [])
}

refusal(verdict) := [strictness[verdict.effect], precedence[custom.class], custom.id, rule] if {
	custom := verdict.rule.custom
	rule := {
		"id": custom.id,
		"class": custom.class,
		"title": verdict.rule.title,
		"remedy": custom.remedy,
		"sources": custom.sources,
		"effect": verdict.effect,
	}
}

# The effect is known, the rule's class is its layer, no obligation sets a second output marking, and every grant is
# one that the tenant has for this rule.
readable(layer, verdict) if {
	strictness[verdict.effect]
	precedence[layer]
	verdict.rule.custom.class == layer
	is_array(refusal(verdict))
	is_array(object.get(verdict, "obligations", []))
	every obligation in object.get(verdict, "obligations", []) {
		obligation.kind != "output_marking"
	}
	every grant in object.get(verdict, "grants", []) {
		layer == "provider_baseline"
		grant in facts.grants(verdict.rule.custom.id)
	}
}

# METADATA
# title: A rule of the policy returned a verdict that cannot be read
# custom:
#   id: verdict_readable
#   class: provider_baseline
#   remedy: Tell the maintainer of the policy. The request itself may be in order.
#   sources:
#     - {title: "Brightline decision contract, rego/schemas/decision.json", read: first_hand}
unreadable := {"effect": "deny", "rule": rego.metadata.chain()[0].annotations}
