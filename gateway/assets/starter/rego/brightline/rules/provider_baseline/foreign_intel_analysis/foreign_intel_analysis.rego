# METADATA
# title: Foreign intelligence analysis under an exception
# description: >
#   A tenant whose contract has the exception may analyse foreign intelligence under an authority that is in force; the
#   authority is recorded and the answer carries an oversight label. For everyone else the purpose is refused.
# custom:
#   id: foreign_intel_analysis
#   class: provider_baseline
#   remedy: Cite an authority with its identifier and period. If your contract lacks the exception, ask the provider for it.
#   sources:
#     - {title: "Provider usage policy exceptions page, 16 Mar 2026", read: first_hand}
package brightline.rules.provider_baseline.foreign_intel_analysis

import data.brightline.facts

verdict := {"effect": "deny", "rule": rego.metadata.chain()[1].annotations} if {
	not facts.outside("foreign_intelligence")
	not authority
}

verdict := {
	"effect": "allow",
	"rule": rego.metadata.chain()[1].annotations,
	"obligations": [
		{"kind": "oversight_label", "params": {"text": data.brightline.labels.foreign_intelligence}},
		{"kind": "record_authority", "params": {"text": concat(" / ", [authority.citation, authority.id])}},
	],
	"grants": ["foreign_intel_analysis"],
} if authority

# The authority that permits it.
authority := facts.live_authority if {
	"foreign_intelligence" in facts.areas
	"foreign_intel_analysis" in input.tenant.exceptions
	facts.live_authority.citation in object.keys(data.brightline.authorities.foreign_intelligence)
}
