package brightline.agency.example_test

import data.brightline.agency.example
import data.fixtures

test_verdicts_are_those_of_its_rules if {
	request := fixtures.declared({"channel": "public", "tools": fixtures.tools("cyber")})
	said := {verdict | verdict := example.rules[_].verdict} with input as request
	count(said) > 1
	example.verdicts == said with input as request
}

test_no_verdicts_where_its_rules_are_silent if example.verdicts == set() with input as fixtures.permitted
