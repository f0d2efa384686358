package brightline_test

import data.brightline
import data.fixtures

# What the tests give as the revision, which a build writes beside the policy.
revision := "revision-1"

allowed := {"effect": "allow", "rules": [], "obligations": [marked], "grants": [], "revision": revision}

# What every permitted request is obliged to: the banner of the fixtures' output.
marked := {"kind": "output_marking", "params": {"text": "CUI"}}

# As much of a decision as says who refused: the texts of a rule are the matter of the rule's own test.
outline(decision) := object.union(decision, {"rules": [concat(" ", [rule.effect, rule.class, rule.id]) |
	some rule in decision.rules
]})

refused(effect, rules) := object.union(allowed, {
	"effect": effect,
	"rules": rules,
	"obligations": [marked | effect != "deny"],
})

test_allows_at_every_stage[stage] if {
	some stage, request in fixtures.stages(fixtures.permitted)
	brightline.decision == allowed with input as request with data.release.revision as revision
}

test_says_who_refused_and_why if {
	brightline.decision == {
		"effect": "deny",
		"rules": [{
			"id": "purpose_known",
			"class": "provider_baseline",
			"title": "The purpose is known and agreed",
			"remedy": "Declare a purpose from the list in the caller's guide that your agency's agreement includes.",
			"sources": [{"title": "Agreement of provider and agency, as the release has it in tenants.json", "read": "first_hand"}],
			"effect": "deny",
		}],
		"obligations": [],
		"grants": [],
		"revision": revision,
	} with input as fixtures.declared({"purpose": "translation"})
		with data.release.revision as revision
}

# A request of a tenant that may use every purpose, so that only the rule in question speaks.
agreed(facts) := object.union(
	fixtures.changed({"tenant": {"purposes": [purpose | some purpose, _ in brightline.purposes]}}),
	facts,
)

test_refuses_at_every_stage[note] if {
	some case, tc in {
		"autonomous targeting, declared": {
			"facts": {"request": {"purpose": "weapon_engagement", "autonomy": "autonomous"}},
			"decision": refused("deny", [
				"deny red_line weapon_engage_autonomous",
				"require_approval directive weapon_human_judgment",
			]),
		},
		"autonomous targeting, by content": {
			"facts": {"signals": {"autonomous_targeting": 900}},
			"decision": refused("deny", ["deny red_line weapon_engage_autonomous"]),
		},
		"domestic surveillance, declared": {
			"facts": {"request": {"purpose": "domestic_monitoring"}},
			"decision": refused("deny", ["deny red_line us_person_mass_surveillance"]),
		},
		"domestic surveillance, by content": {
			"facts": {"signals": {"domestic_surveillance": 900}},
			"decision": refused("deny", [
				"deny red_line us_person_mass_surveillance",
				"deny provider_baseline track_person_nonconsent",
			]),
		},
		"nuclear employment": {
			"facts": {"request": {"purpose": "nuclear_employment"}},
			"decision": refused("deny", ["deny law nuclear_employment_human"]),
		},
		"targeting support": {
			"facts": {"request": {"purpose": "targeting_support"}},
			"decision": refused("require_approval", ["require_approval directive weapon_human_judgment"]),
		},
		"tracking": {
			"facts": {"request": {"purpose": "person_tracking", "geo": ["FR"]}},
			"decision": refused("deny", ["deny provider_baseline track_person_nonconsent"]),
		},
		"foreign intelligence without the exception": {
			"facts": {"request": {"purpose": "foreign_intelligence_analysis", "geo": ["FR"]}},
			"decision": refused("deny", ["deny provider_baseline foreign_intel_analysis"]),
		},
		"a marking that nobody understood": {
			"facts": {"request": {"marking": null}},
			"decision": refused("deny", ["deny directive marking_dominance"]),
		},
		"an unknown model": {
			"facts": {"model": null},
			"decision": refused("deny", [
				"deny provider_baseline model_allowed",
				"deny provider_baseline model_safeguard_bound",
				"deny directive marking_dominance",
			]),
		},
		"a tool that does not say what it does": {
			"facts": {"request": {"tools": fixtures.tools("unspecified")}},
			"decision": refused("deny", [
				"deny provider_baseline cyber_unauthorized",
				"deny provider_baseline tool_effector_stated",
				"deny law nuclear_employment_human",
				"require_approval directive weapon_human_judgment",
			]),
		},
		"an agency policy that is not there": {
			"facts": {"tenant": {"policy": "absent"}},
			"decision": refused("deny", ["deny agency agency_policy_present"]),
		},
	}
	some stage, request in fixtures.stages(agreed(tc.facts))
	note := concat(", ", [case, stage])
	outline(brightline.decision) == tc.decision with input as request with data.release.revision as revision
}

# Whoever looks at a signal refuses without it. What an agency alone minds, and what only some declarations are held
# against, is not looked at here.
test_refuses_without_a_detector[note] if {
	some signal, _ in brightline.thresholds
	not signal in {"credentials", "us_person"}
	some stage, request in fixtures.stages(agreed({"signals": {signal: null}}))
	note := concat(", ", [signal, stage])
	brightline.decision.effect == "deny" with input as request with data.release.revision as revision
}

# Identifiers run against the order of classes, so that they can't bring it about.
test_lists_the_strictest_first_then_by_class if {
	of_class := {"red_line": "e", "provider_baseline": "d", "law": "c", "directive": "b", "agency": "a"}
	said := {class: {effect: {"verdict": {"effect": effect, "rule": {"title": "t", "custom": {
		"id": concat("_", [letter, effect]),
		"class": class,
		"remedy": "m",
		"sources": [],
	}}}} |
		some effect in ["deny", "require_approval"]
	} |
		some class, letter in of_class
	}
	outline(brightline.decision) == refused("deny", [
		"deny red_line e_deny",
		"deny provider_baseline d_deny",
		"deny law c_deny",
		"deny directive b_deny",
		"deny agency a_deny",
		"require_approval red_line e_require_approval",
		"require_approval provider_baseline d_require_approval",
		"require_approval law c_require_approval",
		"require_approval directive b_require_approval",
		"require_approval agency a_require_approval",
	]) with input as fixtures.permitted with data.brightline.rules as said with data.release.revision as revision
}

test_allows_what_was_approved if {
	facts := {"request": {"purpose": "targeting_support", "approval": fixtures.approval}}
	brightline.decision == allowed with input as agreed(facts) with data.release.revision as revision
}

test_obliges_foreign_intelligence if {
	brightline.decision == object.union(allowed, {
		"obligations": [
			marked,
			{
				"kind": "oversight_label",
				"params": {"text": "Foreign intelligence analysis under a provider exception. Subject to oversight."},
			},
			{"kind": "record_authority", "params": {"text": "EO 12333 2.4 / order-1"}},
		],
		"grants": ["grant-foreign_intel_analysis"],
	}) with input as foreign_intelligence
		with data.release.revision as revision
}

foreign_intelligence := agreed({
	"tenant": {"grants": [fixtures.grant("foreign_intel_analysis")]},
	"request": {
		"purpose": "foreign_intelligence_analysis",
		"geo": ["FR"],
		"authority": fixtures.authority("EO 12333 2.4"),
	},
})

# Neither obligations nor grants of one rule are left over when another refuses.
test_grants_nothing_when_refused if {
	request := object.union(foreign_intelligence, {"request": {"marking": null}})
	outline(brightline.decision) == refused("deny", ["deny directive marking_dominance"]) with input as request
		with data.release.revision as revision
}

test_red_lines_stay_closed[note] if {
	some id, cases in {
		"weapon_engage_autonomous": {
			"declared": {"request": {"purpose": "weapon_engagement", "autonomy": "autonomous"}},
			"by content": {"signals": {"autonomous_targeting": 500}},
		},
		"us_person_mass_surveillance": {
			"declared": {"request": {"purpose": "domestic_monitoring"}},
			"by content": {"signals": {"domestic_surveillance": 500}},
		},
	}
	some case, facts in cases
	note := concat(", ", [id, case])
	some rule in brightline.decision.rules with input as object.union(agreed(facts), fixtures.keys(id))
		with data.release.revision as revision
	rule.id == id
	rule.effect == "deny"
}

# --- grants -------------------------------------------------------------------------------------------------------

tracking := agreed({"request": {"purpose": "person_tracking", "geo": ["FR"]}})

granted(grants) := object.union(tracking, {"tenant": {"grants": grants}})

test_a_grant_relaxes_its_rule_and_brings_its_conditions if {
	condition := {"kind": "max_tokens", "params": {"limit": 512}}
	grant := object.union(fixtures.grant("track_person_nonconsent"), {"conditions": [condition]})
	brightline.decision == object.union(allowed, {
		"obligations": [condition, marked],
		"grants": ["grant-track_person_nonconsent"],
	}) with input as granted([grant])
		with data.release.revision as revision
}

test_a_grant_that_does_not_hold_relaxes_nothing[note] if {
	grant := fixtures.grant("track_person_nonconsent")
	some note, grants in {
		"for another rule": [fixtures.grant("purpose_known")],
		"for another purpose": [object.union(grant, {"purposes": ["translation"]})],
		"for no purpose": [object.union(grant, {"purposes": []})],
		"expired": [object.union(grant, {"expires": 999})],
		"to come": [object.union(grant, {"not_before": 1001})],
	}
	outline(brightline.decision) == refused("deny", ["deny provider_baseline track_person_nonconsent"]) with input as granted(grants)
		with data.release.revision as revision
}

test_a_grant_that_was_not_used_is_not_named if {
	condition := {"kind": "max_tokens", "params": {"limit": 512}}
	grant := object.union(fixtures.grant("track_person_nonconsent"), {"conditions": [condition]})
	brightline.decision == allowed with input as fixtures.changed({"tenant": {"grants": [grant]}})
		with data.release.revision as revision
}

test_a_rule_that_allows_uses_no_grant if {
	rule := object.union(sound, {"custom": {"class": "provider_baseline", "relaxed_by": "grant"}})
	brightline.decision == allowed with input as fixtures.changed({"tenant": {"grants": [fixtures.grant("r")]}})
		with data.brightline.rules as {"provider_baseline": {"r": {"verdict": {"effect": "allow", "rule": rule}}}}
		with data.release.revision as revision
}

test_a_refusal_uses_no_grant if {
	facts := object.union(
		granted([fixtures.grant("track_person_nonconsent")]),
		{"signals": {"autonomous_targeting": 500}},
	)
	decision := brightline.decision with input as facts
		with data.release.revision as revision
	decision.effect == "deny"
	decision.grants == []
}

test_only_the_providers_baseline_uses_grants[note] if {
	some layer in ["red_line", "law", "directive"]
	some effect in ["allow", "deny"]
	note := concat(", ", [layer, effect])
	rule := object.union(sound, {"custom": {"class": layer, "relaxed_by": "grant"}})
	verdict := object.union({"effect": effect, "rule": rule}, {"allow": {"grants": ["grant-r"]}, "deny": {}}[effect])
	decision := brightline.decision with input as fixtures.changed({"tenant": {"grants": [fixtures.grant("r")]}})
		with data.brightline.rules as {layer: {"r": {"verdict": verdict}}}
		with data.release.revision as revision
	decision.effect == "deny"
	decision.grants == []
}

# Whatever a grant names: a rule of another class, and one that no grant relaxes, stay as they are.
test_a_grant_reaches_no_other_rule[id] if {
	some id, facts in {
		"weapon_engage_autonomous": {"signals": {"autonomous_targeting": 500}},
		"us_person_mass_surveillance": {"request": {"purpose": "domestic_monitoring"}},
		"nuclear_employment_human": {"request": {"purpose": "nuclear_employment"}},
		"marking_dominance": {"request": {"marking": null}},
		"tool_effector_stated": {"request": {"tools": fixtures.tools("unspecified")}},
		"model_allowed": {"request": {"model": "other"}},
	}
	some rule in brightline.decision.rules with input as object.union(agreed(facts), {"tenant": {"grants": [fixtures.grant(id)]}})
		with data.release.revision as revision
	rule.id == id
}

test_a_refusal_keeps_what_has_to_be_reported_and_sealed if {
	incident := {"kind": "incident", "params": {"text": "seen", "report_within_hours": 24}}
	seal := {"kind": "seal_content", "params": {"class": "standard"}}
	verdict := {
		"effect": "deny",
		"rule": sound,
		"obligations": [incident, seal, {"kind": "label", "params": {"text": "dropped"}}],
	}
	brightline.decision.obligations == [incident, seal] with input as fixtures.permitted
		with data.brightline.rules as {"law": {"r": {"verdict": verdict}}}
		with data.release.revision as revision
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	decision := brightline.decision with input as request with data.release.revision as revision
	decision.effect == "deny"
	decision.obligations == []
	decision.grants == []
	"facts_well_formed" in {rule.id | some rule in decision.rules}
}

test_no_approval_opens_facts_that_nobody_can_read if {
	brightline.decision.effect == "deny" with input as {}
		with data.brightline.rules as {"law": {"r": {"verdict": {"effect": "require_approval", "rule": sound}}}}
		with data.release.revision as revision
}

test_refuses_spoiled_parts[note] if {
	some pointer in ["/stage", "/principal", "/tenant", "/request", "/model", "/signals", "/safeguards", "/audit", "/release", "/now"]
	some note, request in object.remove(fixtures.spoiled(fixtures.permitted, pointer), ["/model null"])
	decision := brightline.decision with input as request with data.release.revision as revision
	decision.effect == "deny"
	"facts_well_formed" in {rule.id | some rule in decision.rules}
}

# --- rules that misbehave -----------------------------------------------------------------------------------------

test_refuses_without_a_revision if {
	brightline.decision == {"effect": "deny", "rules": [], "obligations": [], "grants": [], "revision": ""} with input as fixtures.permitted
}

test_needs_the_shape_even_without_rules if {
	brightline.decision.effect == "deny" with input as {} with data.brightline.rules as {} with data.release.revision as revision
}

misspoken := {
	"id": "verdict_readable",
	"class": "provider_baseline",
	"title": "A rule of the policy returned a verdict that cannot be read",
	"remedy": "Tell the maintainer of the policy. The request itself may be in order.",
	"sources": [{"title": "Brightline decision contract, rego/schemas/decision.json", "read": "first_hand"}],
	"effect": "deny",
}

sound := {"title": "t", "custom": {"id": "r", "class": "law", "remedy": "m", "sources": []}}

test_refuses_verdicts_that_cannot_be_read[note] if {
	some note, verdict in {
		"unknown effect": {"effect": "permit", "rule": sound},
		"no effect": {"rule": sound},
		"true": true,
		"text": "deny",
		"no rule": {"effect": "allow"},
		"another class than its place": {"effect": "allow", "rule": {"title": "t", "custom": {
			"id": "r",
			"class": "agency",
			"remedy": "m",
			"sources": [],
		}}},
		"no title": {"effect": "allow", "rule": {"custom": sound.custom}},
		"no remedy": {"effect": "deny", "rule": {"title": "t", "custom": {"id": "r", "class": "law", "sources": []}}},
		"a grant that the tenant does not have": {"effect": "allow", "rule": sound, "grants": ["grant-r"]},
		"grants that are no list": {"effect": "allow", "rule": sound, "grants": "grant-r"},
		"an output marking of its own": {"effect": "allow", "rule": sound, "obligations": [marked]},
		"an obligation of no kind": {"effect": "allow", "rule": sound, "obligations": [{}]},
		"obligations that are no list": {"effect": "allow", "rule": sound, "obligations": {}},
	}
	brightline.decision == object.union(allowed, {"effect": "deny", "rules": [misspoken], "obligations": []}) with input as fixtures.permitted
		with data.brightline.rules as {"law": {"r": {"verdict": verdict}}}
		with data.release.revision as revision
}

test_refuses_an_unknown_class if {
	brightline.decision.rules == [misspoken] with input as fixtures.permitted
		with data.brightline.rules as {"custom": {"r": {"verdict": {"effect": "allow", "rule": sound}}}}
		with data.release.revision as revision
}

# --- agencies -----------------------------------------------------------------------------------------------------

member := fixtures.changed({"tenant": {"policy": "example"}})

test_agency_adds_a_refusal if {
	verdict := {"effect": "deny", "rule": object.union(sound, {"custom": {"class": "agency"}})}
	outline(brightline.decision) == refused("deny", ["deny agency r"]) with input as member
		with data.brightline.agency.example.verdicts as {verdict}
		with data.release.revision as revision
}

test_agency_adds_obligations if {
	brightline.decision == object.union(allowed, {"obligations": [
		{"kind": "label", "params": {"text": "Produced with AI and not yet reviewed by a person."}},
		{"kind": "max_tokens", "params": {"limit": 2048}},
		marked,
	]}) with input as object.union(member, {"request": {"channel": "interagency"}})
		with data.release.revision as revision
}

test_agency_cannot_speak_for_others[effect] if {
	some effect in ["allow", "require_approval", "deny"]
	brightline.decision.rules == [misspoken] with input as member
		with data.brightline.agency.example.verdicts as {{"effect": effect, "rule": sound}}
		with data.release.revision as revision
}

test_agency_cannot_open_what_others_closed if {
	verdict := {"effect": "allow", "rule": object.union(sound, {"custom": {"class": "agency"}})}
	outline(brightline.decision) == refused("deny", ["deny directive marking_dominance"]) with input as object.union(member, {"request": {"marking": null}})
		with data.brightline.agency.example.verdicts as {verdict}
		with data.release.revision as revision
}

test_agency_of_another_tenant_is_silent if {
	brightline.decision == allowed with input as fixtures.declared({"channel": "interagency"})
		with data.release.revision as revision
}
