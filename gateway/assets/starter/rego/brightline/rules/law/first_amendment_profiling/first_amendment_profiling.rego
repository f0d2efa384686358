# METADATA
# title: No records of lawful expression
# description: >
#   No record is made of how people in the United States exercise the rights of the First Amendment: what they
#   believe, say, write, join or march for. The statute makes exceptions where a statute says so, where the person
#   concerned agreed, and within an authorised law enforcement activity.
# custom:
#   id: first_amendment_profiling
#   class: law
#   statement: No record is made of how people exercise their First Amendment rights.
#   remedy: >-
#     Choose the purpose that fits. If a statute allows the record, cite it with its identifier and period, for law
#     enforcement or for the record itself. If the person agreed, name the consent as evidence. State how many persons
#     are concerned: for US persons, either exception covers only a few.
#   relaxed_by: statute
#   relaxed_how: The statute, the person concerned, or an authorised law enforcement activity, each cited.
#   facts:
#     - request.purpose
#     - request.us_person
#     - request.geo
#     - request.authority
#     - request.evidence
#     - signals.protected_expression
#     - signals.us_person
#     - now
#     - tenant.kind
#   sources:
#     - {title: "5 USC 552a(e)(7)", read: general_knowledge}
#     - {title: "NIST SP 800-53 PT-7(2)", read: first_hand}
package brightline.rules.law.first_amendment_profiling

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not harmless

verdict := {
	"effect": "allow",
	"rule": about,
	"obligations": [{"kind": "record_authority", "params": {"text": paper}} | some paper in papers],
} if excepted

# Without the list of orders, the rule cannot tell which citations have to be recorded.
harmless if {
	facts.outside("expression")
	facts.unheard("protected_expression")
	is_object(data.brightline.authorities.expression)
}

# People abroad who are not US persons are outside the statute.
harmless if {
	facts.natural(input.signals.protected_expression)
	is_array(facts.areas)
	facts.no_us_person
	facts.abroad
}

harmless if excepted

# The exceptions that the statute itself names: another statute or authorised law enforcement, which is cited, or the
# consent of the person concerned.
excepted if {
	asked
	count(papers) > 0
}

# The papers count at every stage and whatever the score, because they have to be recorded before the answer can speak
# of beliefs. An order covers law enforcement, or the record of expression that it allows. It covers no other purpose.
papers contains facts.cited if {
	some area in {"law_enforcement", "expression"}
	area in facts.areas
	facts.live_authority.citation in object.keys(data.brightline.authorities.expression)
}

papers contains concat(" / ", ["consent", consent]) if some consent in facts.proofs("consent")

asked if {
	facts.natural(input.signals.protected_expression)
	is_array(facts.areas)
}
