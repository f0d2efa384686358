# authz.rego
package system.authz

default allow := false

allow if {
	input.method == "POST"
	input.path == ["v1", "data", "brightline", "decision"]
}

allow if {
	input.method == "GET"
	input.path == ["health"]
}
