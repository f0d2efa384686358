package brightline.rules.provider_baseline.purpose_known_test

import data.brightline.rules.provider_baseline.purpose_known as rule
import data.fixtures

refusal := {"effect": "deny", "id": "purpose_known"}

test_silent_on_the_tenants_purposes[purpose] if {
	some purpose in ["general_assistance", "administrative"]
	not rule.verdict with input as fixtures.declared({"purpose": purpose})
}

test_refuses[note] if {
	some note, request in {
		"not on the list": fixtures.changed({"tenant": {"purposes": ["curiosity"]}, "request": {"purpose": "curiosity"}}),
		"not the tenant's": fixtures.declared({"purpose": "translation"}),
		"another case": fixtures.declared({"purpose": "Administrative"}),
		"white space": fixtures.declared({"purpose": "administrative "}),
		"a tenant without purposes": fixtures.changed({"tenant": {"purposes": []}}),
	}
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/tenant", "/tenant/purposes", "/request", "/request/purpose"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_purposes_that_are_no_list if {
	fixtures.says(rule.verdict) == refusal with input as object.union(fixtures.permitted, {"tenant": {"purposes": {"a": "administrative"}}})
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
