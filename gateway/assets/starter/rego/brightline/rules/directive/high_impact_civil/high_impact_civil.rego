# METADATA
# title: High-impact uses in civil government
# description: >
#   A use with a high impact on people needs an impact assessment, testing before and monitoring during use, a trained
#   operator, human oversight and a way to appeal. The request names each as evidence that is still valid. National
#   security systems are outside the memorandum.
# custom:
#   id: high_impact_civil
#   class: directive
#   statement: >-
#     A high-impact civil use needs an impact assessment, testing, monitoring, a trained operator, oversight and
#     appeal.
#   remedy: >-
#     Name each of the six as evidence, with its identifier and the end of its validity. Or name a written waiver by
#     the CAIO. A waiver ends within a year and must then be renewed.
#   relaxed_by: official
#   relaxed_how: The CAIO, in writing, recertified every year.
#   facts: [tenant.national_security, request.purpose, request.evidence, now]
#   sources:
#     - {title: "OMB M-25-21", read: first_hand}
package brightline.rules.directive.high_impact_civil

import data.brightline.facts
import data.brightline.limits

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not harmless

harmless if input.tenant.national_security == true

harmless if facts.outside("high_impact")

harmless if {
	is_array(facts.areas)
	every kind in [
		"impact_assessment",
		"pre_deployment_testing",
		"ongoing_monitoring",
		"operator_training",
		"human_oversight",
		"appeal_process",
	] {
		facts.proven(kind)
	}
}

harmless if {
	is_array(facts.areas)
	facts.renewed("caio_waiver", limits.waiver_ms)
}
