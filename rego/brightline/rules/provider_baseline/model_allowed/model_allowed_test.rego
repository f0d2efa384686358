package brightline.rules.provider_baseline.model_allowed_test

import data.brightline.rules.provider_baseline.model_allowed as rule
import data.fixtures

refusal := {"effect": "deny", "id": "model_allowed"}

test_silent_on_the_tenants_models[model] if {
	some model in ["small", "large"]
	not rule.verdict with input as fixtures.changed({"request": {"model": model}, "model": {"id": model}})
}

test_refuses[note] if {
	some note, request in {
		"unknown": fixtures.changed({"model": null}),
		"not the tenant's": fixtures.changed({"request": {"model": "other"}, "model": {"id": "other"}}),
		"another than asked for": fixtures.changed({"model": {"id": "large"}}),
		"another case": fixtures.declared({"model": "Small"}),
		"white space": fixtures.declared({"model": "small "}),
		"no name": fixtures.changed({"tenant": {"models": [7]}, "request": {"model": 7}, "model": {"id": 7}}),
		"a tenant without models": fixtures.changed({"tenant": {"models": []}}),
	}
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/tenant", "/tenant/models", "/model", "/model/id", "/request", "/request/model"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_models_that_are_no_list if {
	fixtures.says(rule.verdict) == refusal with input as fixtures.changed({"tenant": {"models": {"a": "small"}}})
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
