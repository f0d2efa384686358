package brightline.rules.provider_baseline.model_safeguard_bound_test

import data.brightline.rules.provider_baseline.model_safeguard_bound as rule
import data.fixtures

refusal := {"effect": "deny", "id": "model_safeguard_bound"}

rated(framework, level) := fixtures.changed({"model": {"levels": [{"framework": framework, "level": level}]}})

test_silent[note] if {
	some note, request in {
		"permitted": fixtures.permitted,
		"a high level, classifiers live": rated("RSP", "ASL-3"),
		"a high level, trusted access and monitoring instead": object.union(object.union(rated("RSP", "ASL-3"), {"model": {"safeguards": []}}), {"safeguards": ["trusted_user_access", "usage_monitoring"]}),
		"High": rated("Preparedness", "High"),
		"a CCL": rated("FSF", "CCL"),
		"the report's last moment": fixtures.changed({"now": 1500}),
	}
	not rule.verdict with input as request
}

test_refuses_at_every_stage[note] if {
	some case, request in {
		"no level": fixtures.changed({"model": {"levels": []}}),
		"an unknown level": rated("RSP", "ASL-9"),
		"an unknown framework": rated("Other", "ASL-2"),
		"one of two levels unknown": fixtures.changed({"model": {"levels": [{"framework": "RSP", "level": "ASL-2"}, {"framework": "FSF", "level": "odd"}]}}),
		"a high level, half of each": object.union(object.union(rated("RSP", "ASL-3"), {"model": {"safeguards": []}}), {"safeguards": ["input_classifier", "usage_monitoring"]}),
		"Critical without everything": object.union(object.union(rated("Preparedness", "Critical"), {"model": {"safeguards": []}}), {"safeguards": ["input_classifier", "output_classifier"]}),
		"a safeguard of the manifest is not live": fixtures.changed({"safeguards": ["trusted_user_access", "usage_monitoring"]}),
		"the report is out of date": fixtures.changed({"now": 1501}),
		"the report is still to come": fixtures.changed({"now": 499}),
		"an unknown model": fixtures.changed({"model": null}),
	}
	some stage, staged in fixtures.stages(request)
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as staged
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/model", "/model/levels", "/model/levels/0", "/model/levels/0/level", "/model/levels/0/framework", "/model/safeguards", "/model/report", "/model/report/issued", "/model/report/expires", "/safeguards", "/now"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
