# METADATA
# title: No use without an audit record
# description: >
#   A use that cannot be durably recorded is refused. Whatever this rule says, the gateway records the intent before
#   it forwards anything. The rule makes that duty part of the decision.
# custom:
#   id: audit_or_refuse
#   class: directive
#   statement: Nothing is forwarded without a durable audit record.
#   remedy: Try again later. The operator of the gateway is alerted that the log is not being written.
#   relaxed_by: nobody
#   facts: [audit.ready]
#   sources:
#     - {title: "NIST SP 800-53 AU-5", read: first_hand}
#     - {title: "DISA APSC-DV-001120", read: first_hand}
package brightline.rules.directive.audit_or_refuse

about := rego.metadata.chain()[1].annotations

verdict := {"effect": "deny", "rule": about} if not harmless

harmless if input.audit.ready == true
