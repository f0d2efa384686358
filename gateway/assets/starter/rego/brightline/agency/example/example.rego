# METADATA
# title: Example agency
# description: An agency's own rules, for tenants whose policy is "example". They can add refusals and obligations only.
package brightline.agency.example

verdicts contains verdict if {
	some id
	verdict := data.brightline.agency.example.rules[id].verdict
}
