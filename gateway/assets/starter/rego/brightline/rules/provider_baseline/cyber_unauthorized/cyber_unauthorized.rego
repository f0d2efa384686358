# METADATA
# title: Intrusion needs authorisation and scope
# description: >
#   Getting into systems needs a lawful authority in force, and the authorised scope as evidence. An operation that is
#   not a test also needs the provider's grant. Tools that act on networks are only for such work, or for defending
#   the agency's own networks.
# custom:
#   id: cyber_unauthorized
#   class: provider_baseline
#   statement: >-
#     Nobody gets into a system without a lawful authority, an authorised scope and, for more than a test, the
#     provider's grant.
#   remedy: >-
#     Cite the authority with its identifier and period, and name the authorised scope as evidence. For an operation
#     that is not a test, ask the provider for a grant.
#   relaxed_by: nobody
#   selected_by: grant
#   facts:
#     - request.purpose
#     - request.tools
#     - request.authority
#     - request.us_person
#     - request.geo
#     - request.evidence
#     - tenant.grants
#     - signals.offensive_cyber
#     - now
#     - tenant.kind
#   sources:
#     - {title: "Provider usage policy, Cyber harms", read: first_hand}
#     - {title: "Provider usage policy exceptions page, 16 Mar 2026", read: first_hand}
package brightline.rules.provider_baseline.cyber_unauthorized

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if {
	not harmless
	not authorised
}

verdict := {
	"effect": "allow",
	"rule": about,
	"obligations": [{"kind": "record_authority", "params": {"text": facts.cited}}],
	"grants": [grant | some grant in sort(facts.grants("cyber_unauthorized")); not facts.outside("operation")],
} if authorised

harmless if {
	facts.outside("intrusion")
	facts.unheard("offensive_cyber")
	unarmed
}

unarmed if facts.only_tools(facts.effectors - {"cyber", "unspecified"})

unarmed if {
	"defense" in facts.areas
	facts.only_tools(facts.effectors - {"unspecified"})
}

# A test of systems whose owner allowed it.
authorised if {
	lawful
	facts.outside("operation")
}

# An operation for which the provider also gave a grant.
authorised if {
	lawful
	count(facts.grants("cyber_unauthorized")) > 0
}

lawful if {
	"intrusion" in facts.areas
	facts.live_authority
	facts.proven("authorised_scope")
	facts.natural(input.signals.offensive_cyber)
	facts.only_tools(facts.effectors - {"unspecified"})
}
