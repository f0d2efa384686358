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

# No tool can be part of a weapon. A tool that does not state its effector can.
unarmed if only_tools({"read_only", "digital_write", "communication", "sensor_tasking", "cyber", "physical"})

# No tool can be part of nuclear employment. A tool that does not state its effector can.
conventional if only_tools({"read_only", "digital_write", "communication", "sensor_tasking", "cyber", "physical", "weapon"})

# Neither the declared use nor any tool has to do with weapons.
peaceful if {
	outside("weapons")
	unarmed
}

# The declared purpose is known and not in this area.
outside(area) if {
	is_array(areas)
	not area in areas
}

# A detector spoke and stayed below its threshold. Null (unavailable) sorts below every number, hence the guard.
quiet(score, threshold) if {
	natural(score)
	is_number(threshold)
	score < threshold
}

# A known number of persons, no more than the limit.
at_most(persons, limit) if {
	natural(persons)
	is_number(limit)
	persons <= limit
}

# A detector of this signal spoke and stayed below the signal's threshold.
unheard(signal) if quiet(input.signals[signal], threshold(signal))

# A detector of this signal spoke and reached the signal's threshold.
heard(signal) if {
	natural(input.signals[signal])
	input.signals[signal] >= threshold(signal)
}

# That of tenants of this kind, where the policy has one of their own; else everybody's. What is there and is no number
# is not passed over: nothing stays below it.
threshold(signal) := own if own := data.brightline.tenant_thresholds[input.tenant.kind][signal]

else := data.brightline.thresholds[signal]

# The caller names evidence of this kind that is still valid.
proven(kind) if count(proofs(kind)) > 0

# Its identifiers.
proofs(kind) := {item.id |
	natural(input.now)
	some item in input.request.evidence
	item.kind == kind
	named(item.id)
	natural(item.expires)
	input.now <= item.expires
}

# Likewise, and it ends so soon that it has to be renewed.
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

# The tenant's grants for this rule that hold for the declared purpose, now.
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

# The cited authority names its order, is meant for this use and is in force now. It has to state when it ends.
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

# A certification under section 702 is made for a year at most: one that does not say since when it runs, or says that it
# runs for longer, is none.
bounded(authority) if not authority.citation in object.keys(data.brightline.authorities.fisa702)

bounded(authority) if {
	authority.not_before > 0
	authority.expires <= authority.not_before + data.brightline.limits.certification_ms
}

# A certification under section 702 is for queries of its data, and says nothing of US persons elsewhere. There it is worth
# no more than no authority, and no less: who leaves a citation out must not come off better.
meant(citation) if not citation in object.keys(data.brightline.authorities.fisa702)

meant(_) if "fisa702" in areas

meant(_) if foreign_persons

# The authority in force, as a record names it.
cited := concat(" / ", [live_authority.citation, live_authority.id])

# Every level of the model is known, and at the base of its framework.
base_model if {
	count(input.model.levels) > 0
	every rated in input.model.levels {
		data.brightline.levels[rated.framework][rated.level].base
	}
}

# That nobody concerned is a US person is believed where the content shows none, or the basis says what speaks against it.
no_us_person if {
	input.request.us_person.involved == "no"
	unheard("us_person")
}

no_us_person if {
	input.request.us_person.involved == "no"
	named(input.request.us_person.basis)
}

# Nobody concerned is a US person. Whoever may be in the United States counts as one, unless the basis says why not: to
# leave out where people are is not to say that they are elsewhere.
foreign_persons if {
	no_us_person
	abroad
}

foreign_persons if {
	input.request.us_person.involved == "no"
	named(input.request.us_person.basis)
}

# Everything that the request is about is stated to be outside the United States, in places that somebody knows.
abroad if {
	is_array(input.request.geo)
	count(input.request.geo) > 0
	every place in input.request.geo {
		place in data.brightline.limits.places
		not place in data.brightline.limits.us_places
	}
}

# A person other than the caller approved this request. That the digest is this request's is what the gateway proves
# before it states the approval as a fact.
approved if {
	approval := input.request.approval
	text(approval.id)
	text(approval.approver)
	text(approval.digest)
	text(input.principal.subject)

	# Directories don't tell names apart by case.
	lower(approval.approver) != lower(input.principal.subject)
}

# People read what the model says, and one of them decides each action. What a program reads is acted on by the program,
# whatever the autonomy says; who reads it is stated.
people_decide if {
	input.request.autonomy in {"none", "recommend"}
	input.request.channel in {"internal", "interagency", "public", "foreign"}
}

# Every tool is of these effectors, by what it declares and by what is written in it.
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

# The facts have the shape of schemas/input.json, in every part that a decision can rest on.
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

# Every signal that has a threshold has a score, or is known to be unavailable.
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

# A model that the release does not have is a fact, not a fault: model_allowed refuses it.
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

# Text that names something: a letter or a digit is in it, and it is no word for nothing. Expressions over all letters of
# all scripts take the embedded engine ten times as long as a decision.
named(value) if {
	text(value)
	lettered(value)
	not trim(lower(value), blanks) in {"n/a", "na", "none", "unknown", "tbd", "unspecified"}
}

# Letters of scripts that have capitals: there are others, and some of them are blank.
lettered(value) if lower(value) != upper(value)

lettered(value) if {
	some digit in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
	contains(value, digit)
}

# What may stand around a word without being part of it.
blanks := " \t\r\n\u00a0\u00ad\u200b\u200c\u200d\u2060\u3000\ufeff-_.,:;!?/*()[]{}<>\"'—–…"

texts(values) if {
	is_array(values)
	every value in values {
		text(value)
	}
}

# Zero first, the commonest by far: rounding takes longer than the rest of a rule.
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
