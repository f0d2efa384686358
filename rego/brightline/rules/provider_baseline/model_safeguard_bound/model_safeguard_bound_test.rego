package brightline.rules.provider_baseline.model_safeguard_bound_test

import data.brightline.rules.provider_baseline.model_safeguard_bound as rule
import data.fixtures

refusal := {"effect": "deny", "id": "model_safeguard_bound"}

# Both classifiers stand like this.
down(standing) := {"input_classifier": standing, "output_classifier": standing}

rated(framework, level) := fixtures.changed({"model": {"levels": [{"framework": framework, "level": level}]}})

test_silent[note] if {
	some note, request in {
		"permitted": fixtures.permitted,
		"a high level, classifiers live": rated("RSP", "ASL-3"),
		"a high level, trusted access and monitoring instead": object.union(object.union(rated("RSP", "ASL-3"), {"model": {"safeguards": []}}), {"safeguards": down("never")}),
		"High": rated("Preparedness", "High"),
		"a CCL": rated("FSF", "CCL"),
		"the first moment of report and manifest": fixtures.changed({"now": 500}),
		"the last moment of report and manifest": fixtures.changed({"now": 1500}),
		"the other enclave of the manifest": fixtures.changed({"enclave": {"name": "annex"}}),
		"one detector by name": fixtures.changed({"model": {"safeguards": ["detector.lexical"]}}),
	}
	not rule.verdict with input as request
}

test_refuses_at_every_stage[note] if {
	some case, request in {
		"no level": fixtures.changed({"model": {"levels": []}}),
		"an unknown level": rated("RSP", "ASL-9"),
		"an unknown framework": rated("Other", "ASL-2"),
		"one of two levels unknown": fixtures.changed({"model": {"levels": [{"framework": "RSP", "level": "ASL-2"}, {"framework": "FSF", "level": "odd"}]}}),
		"a high level, half of each": object.union(object.union(rated("RSP", "ASL-3"), {"model": {"safeguards": []}}), {"safeguards": {"output_classifier": "stale", "trusted_user_access": "stale"}}),
		"Critical without everything": object.union(object.union(rated("Preparedness", "Critical"), {"model": {"safeguards": []}}), {"safeguards": {"trusted_user_access": "never", "usage_monitoring": "never"}}),
		"a safeguard of the manifest never worked": fixtures.changed({"safeguards": down("never")}),
		"a safeguard of the manifest is stale": fixtures.changed({"safeguards": down("stale")}),
		"a safeguard of the manifest is silent about this": fixtures.changed({"safeguards": down("silent")}),
		"a safeguard that nobody measures": fixtures.changed({"model": {"safeguards": ["detector.other"]}}),
		"the report is out of date": fixtures.changed({"model": {"report": {"expires": 999}}}),
		"the report is still to come": fixtures.changed({"model": {"report": {"issued": 1001}}}),
		"the report has no reference": fixtures.changed({"model": {"report": {"reference": ""}}}),
		"the manifest is out of date": fixtures.changed({"model": {"expires": 999}}),
		"the manifest is still to come": fixtures.changed({"model": {"issued": 1001}}),
		"another enclave": fixtures.changed({"enclave": {"name": "Home"}}),
		"an enclave without a name": fixtures.changed({"enclave": {"name": ""}}),
		"a manifest without enclaves": fixtures.changed({"model": {"enclaves": []}}),
		"an unknown model": fixtures.changed({"model": null}),
	}
	some stage, staged in fixtures.stages(request)
	note := concat(", ", [case, stage])
	fixtures.says(rule.verdict) == refusal with input as staged
}

test_refuses_spoiled_facts[note] if {
	some pointer in ["/model", "/model/levels", "/model/levels/0", "/model/levels/0/level", "/model/levels/0/framework", "/model/safeguards", "/model/report", "/model/report/issued", "/model/report/expires", "/model/issued", "/model/expires", "/model/enclaves", "/enclave", "/enclave/name", "/safeguards", "/safeguards/input_classifier", "/now"]
	some note, request in fixtures.spoiled(fixtures.permitted, pointer)
	fixtures.says(rule.verdict) == refusal with input as request
}

test_refuses_no_facts[note] if {
	some note, request in fixtures.empty
	fixtures.says(rule.verdict) == refusal with input as request
}
