package brightline.rules.directive.marking_dominance_test

import data.brightline.rules.directive.marking_dominance as rule
import data.fixtures

refusal := {"effect": "deny", "id": "marking_dominance"}

ceilings(tenant, model) := {
	"tenant": {"marking_ceiling": tenant},
	"model": {"marking_ceiling": model},
}

marked(marking, document) := fixtures.declared({"marking": marking, "documents": [document]})

secret := {"level": 3, "controls": []}

confidential := {"level": 2, "controls": []}

test_silent[note] if {
	some note, request in {
		"permitted": fixtures.permitted,
		"no documents": fixtures.declared({"documents": []}),
		"at the lower ceiling": marked(confidential, confidential),
		"control within both ceilings": marked({"level": 2, "controls": ["NOFORN"]}, confidential),
	}
	not rule.verdict with input as request
}

test_refuses_at_every_stage[note] if {
	some case, facts in {
		"marking not understood": fixtures.declared({"marking": null}),
		"document not understood": fixtures.declared({"documents": [{"level": 0, "controls": []}, null]}),
		"above the model": marked(secret, confidential),
		"document above the model": marked(confidential, secret),
		"above the tenant": object.union(marked(confidential, confidential), ceilings({"level": 1, "controls": []}, secret)),
		"control beyond both": marked({"level": 0, "controls": ["NOFORN", "SI"]}, confidential),
		"document's control beyond both": marked(confidential, {"level": 0, "controls": ["SI"]}),
		"control beyond the tenant": object.union(
			marked({"level": 0, "controls": ["NOFORN"]}, confidential),
			ceilings(secret, {"level": 3, "controls": ["NOFORN"]}),
		),
		"control beyond the model": object.union(
			marked({"level": 0, "controls": ["NOFORN"]}, confidential),
			ceilings({"level": 3, "controls": ["NOFORN"]}, secret),
		),
		"unknown model": fixtures.changed({"model": null}),
	}
	some stage, request in fixtures.stages(facts)
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as request
}

test_nothing_opens_it if {
	fixtures.says(rule.verdict) == refusal with input as object.union(marked(secret, secret), fixtures.keys("marking_dominance"))
}

test_refuses_spoiled_facts[note] if {
	some pointer in [
		"/tenant",
		"/tenant/marking_ceiling",
		"/tenant/marking_ceiling/level",
		"/tenant/marking_ceiling/controls",
		"/model",
		"/model/marking_ceiling",
		"/model/marking_ceiling/level",
		"/model/marking_ceiling/controls",
		"/request",
		"/request/marking",
		"/request/marking/level",
		"/request/marking/controls",
		"/request/documents",
		"/request/documents/0",
		"/request/documents/1/level",
	]
	request := marked({"level": 2, "controls": ["NOFORN"]}, {"level": 1, "controls": []})
	two := json.patch(request, [{"op": "add", "path": "/request/documents/1", "value": {"level": 1, "controls": []}}])
	some note, spoiled in object.remove(fixtures.spoiled(two, pointer), ["/request/documents/0 missing"])
	fixtures.says(rule.verdict) == refusal with input as spoiled
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
