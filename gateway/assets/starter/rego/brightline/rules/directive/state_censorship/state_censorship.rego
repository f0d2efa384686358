# METADATA
# title: No censorship, and no bias built into models
# description: >
#   Lawful speech is not censored for a government, and no ideological bias is built into a model or its answers.
#   Moderation of an agency's own pages under its published rules is not censorship.
# custom:
#   id: state_censorship
#   class: directive
#   statement: Lawful speech is not censored, and no ideological bias is embedded.
#   remedy: >-
#     No approval can override this rule. Ask about what the law permits, or about the agency's own published rules.
#   relaxed_by: nobody
#   facts: [request.purpose, signals.state_censorship, tenant.kind]
#   sources:
#     - {title: "NSPM-11 §2(d)", read: first_hand}
#     - {title: "Provider usage policy, Criminal Justice, Censorship, Surveillance", read: first_hand}
package brightline.rules.directive.state_censorship

import data.brightline.facts

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not harmless

harmless if {
	facts.outside("censorship")
	facts.unheard("state_censorship")
}
