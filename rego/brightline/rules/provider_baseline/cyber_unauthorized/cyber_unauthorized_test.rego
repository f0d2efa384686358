package brightline.rules.provider_baseline.cyber_unauthorized_test

import data.brightline.rules.provider_baseline.cyber_unauthorized as rule
import data.fixtures

refusal := {"effect": "deny", "id": "cyber_unauthorized"}

tested := fixtures.declared({
	"purpose": "penetration_testing",
	"tools": fixtures.tools("cyber"),
	"authority": fixtures.authority("contract of the system's owner"),
	"evidence": [{"kind": "authorised_scope", "id": "scope-1", "expires": 1500}],
})

operation := object.union(tested, {
	"tenant": {"grants": [fixtures.grant("cyber_unauthorized")]},
	"request": {"purpose": "offensive_cyber"},
})

recorded := [{"kind": "record_authority", "params": {"text": "contract of the system's owner / order-1"}}]

test_silent[note] if {
	some note, request in {
		"permitted": fixtures.permitted,
		"below the threshold": fixtures.changed({"signals": {"offensive_cyber": 499}}),
		"defending with tools that act": fixtures.declared({"purpose": "cyber_defense", "tools": fixtures.tools("cyber")}),
	}
	not rule.verdict with input as request
}

test_refuses_at_every_stage[note] if {
	some case, request in {
		"a test without authority": object.union(tested, {"request": {"authority": null}}),
		"a test with nothing but words": fixtures.declared({"purpose": "penetration_testing"}),
		"a test without scope": object.union(tested, {"request": {"evidence": []}}),
		"a scope that is over": object.union(tested, {"now": 1501}),
		"an authority that is over": object.union(tested, {"request": {"authority": {"expires": 999}}}),
		"an operation without a grant": object.union(operation, {"tenant": {"grants": []}}),
		"an operation with a grant that is over": object.union(operation, {"tenant": {"grants": [object.union(fixtures.grant("cyber_unauthorized"), {"expires": 999})]}}),
		"an operation without scope": object.union(operation, {"request": {"evidence": []}}),
		"a test and no detector": object.union(tested, {"signals": {"offensive_cyber": null}}),
		"content, with the papers of a test and another purpose": object.union(tested, {
			"request": {"purpose": "administrative", "tools": []},
			"signals": {"offensive_cyber": 500},
		}),
		"tools that act, with the papers of a test and another purpose": object.union(tested, {"request": {"purpose": "administrative"}}),
		"content": fixtures.changed({"signals": {"offensive_cyber": 500}}),
		"tools that act": fixtures.declared({"tools": fixtures.tools("cyber")}),
		"tools that are described as acting": fixtures.declared({"tools": fixtures.described("cyber")}),
		"no detector": fixtures.changed({"signals": {"offensive_cyber": null}}),
		"defending with tools that may do anything": fixtures.declared({"purpose": "cyber_defense", "tools": fixtures.tools("unspecified")}),
	}
	some stage, staged in fixtures.stages(request)
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as staged
}

test_allows_a_test_with_authority_and_scope[note] if {
	some note, request in {
		"quiet": tested,
		"what a test is about": object.union(tested, {"signals": {"offensive_cyber": 700}}),
	}
	fixtures.says(rule.verdict) == {
		"effect": "allow",
		"id": "cyber_unauthorized",
		"obligations": recorded,
		"grants": [],
	} with input as request
}

test_allows_an_operation_that_was_granted if {
	fixtures.says(rule.verdict) == {
		"effect": "allow",
		"id": "cyber_unauthorized",
		"obligations": recorded,
		"grants": ["grant-cyber_unauthorized"],
	} with input as operation
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/request", "/request/purpose", "/request/tools", "/request/authority", "/request/authority/id", "/request/authority/expires", "/request/evidence", "/request/evidence/0/kind", "/request/evidence/0/expires", "/signals/offensive_cyber", "/now"]
	some note, request in object.remove(fixtures.spoiled(tested, pointer), [`/request/authority/id "odd"`])
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
