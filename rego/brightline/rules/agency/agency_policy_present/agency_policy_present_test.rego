package brightline.rules.agency.agency_policy_present_test

import data.brightline.rules.agency.agency_policy_present as rule
import data.fixtures

refusal := {"effect": "deny", "id": "agency_policy_present"}

test_silent_without_a_policy if not rule.verdict with input as fixtures.permitted

test_silent_with_a_policy_that_is_there if {
	not rule.verdict with input as fixtures.changed({"tenant": {"policy": "example"}})
}

test_refuses_a_policy_that_is_not_there[policy] if {
	some policy in ["absent", "Example", "example ", "rules"]
	fixtures.says(rule.verdict) == refusal with input as fixtures.changed({"tenant": {"policy": policy}})
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/tenant", "/tenant/policy"]
	some note, request in object.remove(fixtures.spoiled(fixtures.permitted, pointer), [`/tenant/policy ""`])
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
