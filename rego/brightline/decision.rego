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

# What the rules say, as [layer, verdict]. A verdict is {effect, rule} with the annotations of the rule's package, and
# may bring obligations and grants.
verdicts contains [layer, verdict] if {
	some layer, id
	verdict := data.brightline.rules[layer][id].verdict
}

# One lookup, not a search: the cost is the same with one agency policy and with a thousand.
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

# The grants that open a rule of the provider's baseline which says that a grant may. No other layer has any.
relaxing("provider_baseline", verdict) := facts.grants(verdict.rule.custom.id) if {
	verdict.rule.custom.relaxed_by == "grant"
} else := set()

relaxing(layer, _) := set() if layer != "provider_baseline"

# What is made of marked material is marked like it. A marking that nobody can state is refused by marking_dominance.
obligations contains {"kind": "output_marking", "params": {"text": input.request.output_marking.banner}} if {
	effect != "deny"
}

# What every verdict adds, and what comes with the grants that were used. A refusal keeps what has to be reported, and that
# what was asked is kept.
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

# A known effect, a rule that may speak for its layer, no second marking of the output beside the decision's own, and no
# grant for this rule that the tenant does not have.
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
