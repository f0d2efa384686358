# METADATA
# title: No social scores, sensitive biometric categories or inferred emotions
# description: >
#   Nobody is scored socially, sorted into sensitive biometric categories, or read for emotion, except for medical
#   care or safety. Where the EU AI Act is in scope, it prohibits the same. Its Article 2(3) excludes what is
#   exclusively military or for national security.
# custom:
#   id: biometric_emotion_score
#   class: provider_baseline
#   statement: >-
#     People are not given social scores, sensitive biometric categories or inferred emotions, except for medical and
#     safety uses.
#   remedy: Choose the purpose that fits. Medical support and emergency response are excepted.
#   relaxed_by: grant
#   relaxed_how: A signed, scoped and expiring addendum of the provider.
#   facts: [request.purpose, signals.biometric_scoring, tenant.kind]
#   sources:
#     - {title: "Provider usage policy, Criminal Justice, Censorship, Surveillance", read: first_hand}
#     - {title: "EU AI Act, Article 5, where in scope (Article 2(3))", read: first_hand}
package brightline.rules.provider_baseline.biometric_emotion_score

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not harmless

harmless if {
	facts.outside("biometrics")
	facts.unheard("biometric_scoring")
}

harmless if {
	"care" in facts.areas
	facts.natural(input.signals.biometric_scoring)
}
