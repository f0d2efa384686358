package brightline.rules.directive.marking_dominance_test

import data.brightline.rules.directive.marking_dominance as rule
import data.fixtures

refusal := {"effect": "deny", "id": "marking_dominance"}

unclassified := {"level": 0, "controls": [], "release_to": null}

open := {"level": 1, "controls": [], "release_to": null}

confidential := {"level": 2, "controls": [], "release_to": ["USA", "UNSTATED"]}

secret := {"level": 3, "controls": [], "release_to": ["USA", "UNSTATED"]}

noforn := {"level": 2, "controls": [], "release_to": ["USA"]}

special := {"level": 2, "controls": ["SI"], "release_to": ["USA", "UNSTATED"]}

two := {"level": 2, "controls": [], "release_to": ["USA", "GBR"]}

five := {"level": 2, "controls": [], "release_to": ["USA", "AUS", "CAN", "GBR", "NZL"]}

shown := {"level": 2, "controls": [], "release_to": ["USA", "DISPLAY GBR"]}

relido := {"level": 2, "controls": [], "release_to": ["USA", "RELIDO"]}

controlled(word) := {"level": 0, "controls": [word], "release_to": ["USA"]}

# A request with this marking, and a document with that one.
asked(marking, document, output) := fixtures.declared({
	"marking": marking,
	"documents": [document],
	"output_marking": object.union(output, {"banner": "BANNER"}),
})

# The same of one marking, below these ceilings.
below(marking, tenant, model, enclave) := object.union(asked(marking, marking, marking), {
	"tenant": {"marking_ceiling": tenant},
	"model": {"marking_ceiling": model},
	"enclave": {"marking_ceiling": enclave},
})

through(channel, request) := object.union(request, {"request": {"channel": channel}})

test_silent[note] if {
	some note, request in {
		"no documents": object.union(fixtures.permitted, {"request": {"documents": []}}),
		"at the lower ceiling": asked(confidential, confidential, confidential),
		"released to nobody else": asked(noforn, two, noforn),
		"a control within all ceilings": asked(special, confidential, special),
		"to both countries of the ceilings": below(two, two, two, two),
		"to more than the ceilings' readers": below(five, two, two, two),
		"shown to who may only see": below(shown, shown, shown, shown),
		"shown to who may have it": below(two, shown, shown, shown),
		"unclassified, for the public": through("public", asked(unclassified, unclassified, unclassified)),
		"unclassified, for foreigners": through("foreign", asked(unclassified, unclassified, unclassified)),
		"unclassified, for nobody knows whom": through("unspecified", asked(unclassified, unclassified, unclassified)),
		"to foreigners whom the ceiling names": through("foreign", below(two, two, two, two)),
		"to others in government": through("interagency", asked(noforn, noforn, noforn)),
		"read by a program": through("machine", asked(noforn, noforn, noforn)),
		"protected by any classification": asked({"level": 0, "controls": ["SBU"], "release_to": ["USA"]}, confidential, noforn),
		"protected by any classification, DOD UCNI": asked(controlled("DOD UCNI"), confidential, noforn),
		"protected by any classification, DOE UCNI": asked(controlled("DOE UCNI"), confidential, noforn),
		"protected by any classification, LIMDIS": asked(controlled("LIMDIS"), confidential, noforn),
	}
	not rule.verdict with input as request
}

test_refuses_at_every_stage[note] if {
	some case, facts in {
		"marking not understood": fixtures.declared({"marking": null}),
		"document not understood": fixtures.declared({"documents": [unclassified, null]}),
		"no marking of the output": fixtures.declared({"output_marking": null}),
		"above the tenant": below(secret, confidential, secret, secret),
		"above the model": below(secret, secret, confidential, secret),
		"above the enclave": below(secret, secret, secret, confidential),
		"document above the model": asked(confidential, secret, secret),
		"output above the model": asked(confidential, confidential, secret),
		"output below the request": asked(noforn, confidential, confidential),
		"output below the document": asked(confidential, special, confidential),
		"control beyond the tenant": below(special, confidential, special, special),
		"control beyond the model": below(special, special, confidential, special),
		"control beyond the enclave": below(special, special, special, confidential),
		"not for the tenant's foreigners": below(noforn, two, noforn, noforn),
		"not for the model's foreigners": below(noforn, noforn, two, noforn),
		"not for the enclave's foreigners": below(noforn, noforn, noforn, two),
		"fewer countries than the ceiling": below(two, five, five, five),
		"other countries than the ceiling": below(
			object.union(two, {"release_to": ["USA", "FRA"]}),
			two, two, two,
		),
		"only shown, where it would be given": below(shown, two, two, two),
		"nobody said whether foreigners may have it": below(confidential, two, two, two),
		"some said and some did not": below(two, confidential, confidential, confidential),
		"unclassified where everybody reads, but marked": below(
			{"level": 0, "controls": [], "release_to": ["USA"]},
			unclassified, unclassified, unclassified,
		),
		"unclassified, controlled, where nothing protects it": below(
			{"level": 0, "controls": ["SBU"], "release_to": ["USA", "UNSTATED"]},
			controlled("PROPIN"), secret, secret,
		),
		"marked, for the public": through("public", asked(confidential, confidential, confidential)),
		"released to foreigners, for the public": through("public", below(two, two, two, two)),
		"released to foreigners, for nobody knows whom": through("unspecified", below(two, two, two, two)),
		"above unclassified, for the public": through("public", asked(open, open, open)),
		"marked, for nobody knows whom": through("unspecified", asked(confidential, confidential, confidential)),
		"marked, for foreigners": through("foreign", asked(confidential, confidential, confidential)),
		"marked, for foreigners whom an official may name": through("foreign", below(relido, relido, relido, relido)),
		"marked, for foreigners of whom nobody said anything": through("foreign", below(confidential, confidential, confidential, confidential)),
		"another control under a classification": asked(controlled("SI"), confidential, noforn),
		"marked, for foreigners who may only see": through("foreign", below(shown, shown, shown, shown)),
		"unknown model": fixtures.changed({"model": null}),
	}
	some stage, request in fixtures.stages(facts)
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as request
}

test_nothing_opens_it if {
	fixtures.says(rule.verdict) == refusal with input as object.union(
		asked(secret, secret, secret),
		fixtures.keys("marking_dominance"),
	)
}

# A list of readers may be null, which is everybody; as a ceiling that is nobody's permission.
opened := {
	"/request/marking/release_to null",
	"/request/documents/0/release_to null",
}

test_refuses_spoiled_facts[note] if {
	some pointer in [
		"/tenant",
		"/tenant/marking_ceiling",
		"/tenant/marking_ceiling/level",
		"/tenant/marking_ceiling/controls",
		"/tenant/marking_ceiling/release_to",
		"/model",
		"/model/marking_ceiling",
		"/model/marking_ceiling/level",
		"/model/marking_ceiling/controls",
		"/model/marking_ceiling/release_to",
		"/enclave",
		"/enclave/marking_ceiling",
		"/enclave/marking_ceiling/level",
		"/enclave/marking_ceiling/controls",
		"/enclave/marking_ceiling/release_to",
		"/request",
		"/request/channel",
		"/request/marking",
		"/request/marking/level",
		"/request/marking/controls",
		"/request/marking/release_to",
		"/request/output_marking",
		"/request/output_marking/banner",
		"/request/output_marking/level",
		"/request/output_marking/controls",
		"/request/output_marking/release_to",
		"/request/documents",
		"/request/documents/0",
		"/request/documents/0/level",
		"/request/documents/0/release_to",
	]
	request := asked(special, special, special)
	well := opened | {"/request/documents/0 missing", `/request/output_marking/banner "odd"`}
	some note, spoiled in object.remove(fixtures.spoiled(request, pointer), well)
	fixtures.says(rule.verdict) == refusal with input as spoiled
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
