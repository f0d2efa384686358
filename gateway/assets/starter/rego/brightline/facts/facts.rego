# METADATA
# title: Facts
# description: >
#   What the rules share: the check that the facts have the right shape, and the questions that more than one rule
#   asks. Every question is positive. If a fact is missing, odd or of the wrong type, the question has no answer, and
#   the rule that asked refuses.
package brightline.facts

# --- questions ----------------------------------------------------------------------------------------------------

# The areas of the declared purpose; undefined for a purpose that is not on the list.
areas := data.brightline.purposes[input.request.purpose].areas

# No tool can be part of a weapon. A tool that does not state its effector counts as one that can.
unarmed if only_tools({"read_only", "digital_write", "communication", "sensor_tasking", "cyber", "physical"})

# No tool can be part of nuclear employment. A tool that does not state its effector counts as one that can.
conventional if only_tools({"read_only", "digital_write", "communication", "sensor_tasking", "cyber", "physical", "weapon"})

# Neither the declared purpose nor any tool has to do with weapons.
peaceful if {
	outside("weapons")
	unarmed
}

# The declared purpose is known and not in this area.
outside(area) if {
	is_array(areas)
	not area in areas
}

# The score is available and below the threshold. Null (unavailable) sorts below every number, so natural excludes it.
quiet(score, threshold) if {
	natural(score)
	is_number(threshold)
	score < threshold
}

# The number is stated and within the limit.
at_most(persons, limit) if {
	natural(persons)
	is_number(limit)
	persons <= limit
}

# The signal has a score, and the score is below the signal's threshold.
unheard(signal) if quiet(input.signals[signal], threshold(signal))

# The signal has a score, and the score reaches the signal's threshold.
heard(signal) if {
	natural(input.signals[signal])
	input.signals[signal] >= threshold(signal)
}

# The threshold for this kind of tenant if the policy has one, otherwise the common threshold. A kind's threshold that
# is not a number is used all the same: no score is below it.
threshold(signal) := own if own := data.brightline.tenant_thresholds[input.tenant.kind][signal]

else := data.brightline.thresholds[signal]

# The request names evidence of this kind that is still valid.
proven(kind) if count(proofs(kind)) > 0

# The identifiers of the valid evidence of this kind.
proofs(kind) := {item.id |
	natural(input.now)
	some item in input.request.evidence
	item.kind == kind
	named(item.id)
	natural(item.expires)
	input.now <= item.expires
}

# The request names evidence of this kind that is still valid and ends within this many milliseconds.
renewed(kind, within) if {
	natural(input.now)
	natural(within)
	some item in input.request.evidence
	item.kind == kind
	named(item.id)
	natural(item.expires)
	input.now <= item.expires
	item.expires <= input.now + within
}

# The tenant's grants for this rule that are in force and cover the declared purpose.
grants(rule) := {grant.id |
	some grant in input.tenant.grants
	grant.rule == rule
	holds(grant)
}

holds(grant) if {
	text(grant.id)
	input.request.purpose in grant.purposes
	natural(grant.not_before)
	natural(grant.expires)
	natural(input.now)
	grant.not_before <= input.now
	input.now <= grant.expires
}

# The cited authority, if it names its order, is meant for this use and is in force. It has to state when it ends.
live_authority := authority if {
	authority := input.request.authority
	meant(authority.citation)
	named(authority.id)
	natural(authority.not_before)
	natural(authority.expires)
	natural(input.now)
	authority.not_before <= input.now
	input.now <= authority.expires
	bounded(authority)
}

# A certification under section 702 runs for a year at most. It does not count if its start is not stated, or if its
# stated period is longer.
bounded(authority) if not authority.citation in object.keys(data.brightline.authorities.fisa702)

bounded(authority) if {
	authority.not_before > 0
	authority.expires <= authority.not_before + data.brightline.limits.certification_ms
}

# A certification under section 702 is for queries of section 702 data. If it is cited for another purpose where US
# persons may be concerned, it counts as no authority. A request that leaves the citation out is treated the same, so
# that it gains nothing.
meant(citation) if not citation in object.keys(data.brightline.authorities.fisa702)

meant(_) if "fisa702" in areas

meant(_) if foreign_persons

# The authority in force, as records name it.
cited := concat(" / ", [live_authority.citation, live_authority.id])

# Every capability level of the model is known and is a base level of its framework.
base_model if {
	count(input.model.levels) > 0
	every rated in input.model.levels {
		data.brightline.levels[rated.framework][rated.level].base
	}
}

# The declaration that no US person is concerned is accepted if the content shows none, or if the caller states a
# basis.
no_us_person if {
	input.request.us_person.involved == "no"
	unheard("us_person")
}

no_us_person if {
	input.request.us_person.involved == "no"
	named(input.request.us_person.basis)
}

# Nobody concerned is a US person. A person who may be in the United States counts as a US person unless the caller
# states a basis. Leaving out where people are does not state that they are elsewhere.
foreign_persons if {
	no_us_person
	abroad
}

foreign_persons if {
	input.request.us_person.involved == "no"
	named(input.request.us_person.basis)
}

# The request states where its subject is, and every stated place is a known place outside the United States.
abroad if {
	is_array(input.request.geo)
	count(input.request.geo) > 0
	every place in input.request.geo {
		place in data.brightline.limits.places
		not place in data.brightline.limits.us_places
	}
}

# A person other than the caller approved this request. Before the gateway states an approval as a fact, it checks that
# the approval's digest is the digest of this request.
approved if {
	approval := input.request.approval
	text(approval.id)
	text(approval.approver)
	text(approval.digest)
	text(input.principal.subject)

	# Directories ignore case in names.
	lower(approval.approver) != lower(input.principal.subject)
}

# People read the answer, and a person decides each action. If a program reads the answer, the program acts on it,
# whatever autonomy is declared. Therefore the channel has to be stated.
people_decide if {
	input.request.autonomy in {"none", "recommend"}
	input.request.channel in {"internal", "interagency", "public", "foreign"}
}

# Every tool has only these effectors: the one that it declares, and those apparent in its name, description and
# schema.
only_tools(effectors) if {
	is_array(input.request.tools)
	every tool in input.request.tools {
		tool.effector in effectors
		is_array(tool.apparent)
		every effector in tool.apparent {
			effector in effectors
		}
	}
}

# --- shape --------------------------------------------------------------------------------------------------------

# Every fact that a decision can depend on has the shape that schemas/input.json gives.
well_formed if {
	input.stage in {"request", "response", "tool_call"}
	principal
	tenant
	request
	declaration
	model
	is_string(input.enclave.name)
	marking(input.enclave.marking_ceiling)
	signals
	safeguards
	is_boolean(input.audit.ready)
	text(input.release.digest)
	natural(input.release.version)
	texts(input.release.signers)
	natural(input.now)
	input.now > 0
}

# Every signal that has a threshold has a score or is null (unavailable).
signals if {
	count(data.brightline.thresholds) > 0
	every signal, _ in data.brightline.thresholds {
		score_or_null(input.signals[signal])
	}
}

principal if {
	text(input.principal.subject)
	is_string(input.principal.client_id)
	is_string(input.principal.certificate)
	texts(input.principal.roles)
}

tenant if {
	text(input.tenant.id)
	input.tenant.kind in {"civil", "dod", "intelligence", "law_enforcement"}
	is_string(input.tenant.policy)
	texts(input.tenant.rules)
	texts(input.tenant.purposes)
	texts(input.tenant.models)
	text(input.tenant.region)
	texts(input.tenant.owners)
	is_boolean(input.tenant.national_security)
	marking(input.tenant.marking_ceiling)
	is_array(input.tenant.grants)
	every grant in input.tenant.grants {
		well_made(grant)
	}
}

well_made(grant) if {
	text(grant.id)
	text(grant.rule)
	texts(grant.purposes)
	is_array(grant.conditions)
	every condition in grant.conditions {
		text(condition.kind)
		is_object(condition.params)
	}
	natural(grant.not_before)
	natural(grant.expires)
	text(grant.addendum)
}

request if {
	text(input.request.purpose)
	text(input.request.model)
	natural(input.request.max_tokens)
	input.request.max_tokens > 0
	marking_or_null(input.request.marking)
	output_marking_or_null(input.request.output_marking)
	is_array(input.request.documents)
	every document in input.request.documents {
		marking_or_null(document)
	}
	is_array(input.request.tools)
	every tool in input.request.tools {
		text(tool.name)
		tool.effector in effectors
		is_array(tool.apparent)
		every effector in tool.apparent {
			effector in effectors
		}
	}
}

declaration if {
	input.request.autonomy in {
		"unspecified",
		"none",
		"recommend",
		"semi_autonomous",
		"operator_supervised",
		"autonomous",
	}
	input.request.us_person.involved in {"unspecified", "yes", "no", "unknown"}
	is_string(input.request.us_person.basis)
	is_string(input.request.us_person.process_id)
	input.request.data_origin in {
		"unspecified",
		"agency_records",
		"public",
		"commercial",
		"intelligence",
		"partner",
		"synthetic",
	}
	input.request.channel in {"unspecified", "internal", "interagency", "public", "foreign", "machine"}
	texts(input.request.geo)
	natural_or_null(input.request.volume.persons)
	natural_or_null(input.request.volume.records)
	authority_or_null(input.request.authority)
	approval_or_null(input.request.approval)
	is_array(input.request.evidence)
	every item in input.request.evidence {
		text(item.kind)
		text(item.id)
		natural(item.expires)
	}
}

safeguards if {
	every name in ["input_classifier", "output_classifier", "trusted_user_access", "usage_monitoring"] {
		input.safeguards[name]
	}
	every standing in input.safeguards {
		standing in {"live", "silent", "stale", "never"}
	}
}

model if {
	text(input.model.id)
	marking(input.model.marking_ceiling)
	is_array(input.model.levels)
	every rated in input.model.levels {
		text(rated.framework)
		text(rated.level)
	}
	texts(input.model.safeguards)
	text(input.model.report.reference)
	natural(input.model.report.issued)
	natural(input.model.report.expires)
	natural(input.model.issued)
	natural(input.model.expires)
	texts(input.model.enclaves)
}

# Null means that the release does not have the model. That is well formed: model_allowed refuses it.
model if is_null(input.model)

effectors := {
	"unspecified",
	"read_only",
	"digital_write",
	"communication",
	"sensor_tasking",
	"cyber",
	"physical",
	"weapon",
	"nuclear",
}

text(value) if {
	is_string(value)
	value != ""
}

# Text that names something: it contains a letter or a digit, and it is not a placeholder such as "n/a". A regular
# expression over all letters of all scripts takes the embedded engine ten times as long as a decision.
named(value) if {
	text(value)
	lettered(value)
	not trim(lower(value), blanks) in {"n/a", "na", "none", "unknown", "tbd", "unspecified"}
}

# Only letters of scripts with capitals count. Other scripts have letters too, but some of those letters are blank.
lettered(value) if lower(value) != upper(value)

lettered(value) if {
	some digit in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
	contains(value, digit)
}

# Characters that may surround a word without being part of it.
blanks := " \t\r\n\u00a0\u00ad\u200b\u200c\u200d\u2060\u3000\ufeff-_.,:;!?/*()[]{}<>\"'—–…"

texts(values) if {
	is_array(values)
	every value in values {
		text(value)
	}
}

# Zero, by far the most common value, is tested first: rounding takes longer than the rest of a rule.
natural(value) if value == 0

else if {
	is_number(value)
	value > 0
	value == floor(value)
}

natural_or_null(value) if natural(value)

natural_or_null(value) if is_null(value)

score_or_null(value) if {
	natural(value)
	value <= 1000
}

score_or_null(value) if is_null(value)

marking(value) if {
	natural(value.level)
	value.level <= 4
	texts(value.controls)
	readers_or_null(value.release_to)
}

marking_or_null(value) if marking(value)

marking_or_null(value) if is_null(value)

output_marking_or_null(value) if {
	marking(value)
	text(value.banner)
}

output_marking_or_null(value) if is_null(value)

readers_or_null(value) if {
	texts(value)
	"USA" in value
}

readers_or_null(value) if is_null(value)

authority_or_null(value) if {
	text(value.kind)
	text(value.citation)
	is_string(value.id)
	natural(value.not_before)
	natural(value.expires)
}

authority_or_null(value) if is_null(value)

approval_or_null(value) if {
	text(value.id)
	text(value.approver)
	text(value.digest)
}

approval_or_null(value) if is_null(value)
