"""Starts a rule: a folder with METADATA to fill in, a rule that permits too much, and tests that fail on it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from gateway.errors import StartError
from gateway.workshop.agency import COLLECTED
from gateway.workshop.layout import RULE_FILE, files, tests_of
from gateway.workshop.metadata import RELAXED_BY, TO_FILL

_RULE: Final = """\
# METADATA
# title: {fill} a few words
# description: >
#   {fill} why there is this rule, and how it decides, in a short paragraph.
# custom:
#   id: {id}
#   class: {cls}
#   statement: {fill} what is refused or required, in one sentence.
#   remedy: {fill} what the caller can do.
#   relaxed_by: {relaxed_by}
#   facts: [request.purpose]
#   sources:
#     - {{title: {fill} the source, read: first_hand}}
package {package}

about := rego.metadata.chain()[1].annotations

verdict := {{"effect": "deny", "rule": about}} if not harmless

# {fill} what is permitted, said positively: what is missing or odd leaves it undefined, and the rule refuses.
harmless if input.request.purpose
"""

_TESTS: Final = """\
package {package}_test

import data.{package} as rule
import data.fixtures

# {fill} the least change of the permitted request that the rule refuses.
refused := fixtures.declared({{}})

test_silent_where_it_is_harmless if not rule.verdict with input as fixtures.permitted

test_refuses_at_every_stage[stage] if {{
	some stage, request in fixtures.stages(refused)
	refuses with input as request
}}

# {fill} every fact that the rule reads, as a JSON pointer.
test_refuses_spoiled_facts[note] if {{
	some pointer in ["/request", "/request/purpose"]
	some note, request in fixtures.spoiled(refused, pointer)
	refuses with input as request
}}
{keys}
test_refuses_no_facts[note] if {{
	some note, request in fixtures.empty
	refuses with input as request
}}

refuses if {{
	rule.verdict.effect == "deny"
	rule.verdict.rule.custom.id == "{id}"
}}
"""

_KEYS: Final = """
test_nothing_opens_it if refuses with input as object.union(refused, fixtures.keys("{id}"))
"""

_AGENCY: Final = """\
# METADATA
# title: {agency}
# description: The agency's own rules, for tenants whose policy is "{agency}". They can only add.
package brightline.agency.{agency}

{collected}
"""

_AGENCY_TEST: Final = """\
package brightline.agency.{agency}_test

import data.brightline.agency.{agency}

test_its_rules_are_heard if {{
	said := {{verdict | verdict := {agency}.rules[_].verdict}} with input as {{}}
	{agency}.verdicts == said with input as {{}}
	count(said) > 0
}}
"""


def create(rego: Path, ident: str, layer: str, agency: str = "") -> list[str]:
    """Write the files of a new rule and return their paths. agency: the owner, for a rule of one agency.

    Raises StartError for a name that is invalid or taken. Overwrites nothing.
    """
    _named(ident, "the id")
    if agency:
        _named(agency, "--agency")
        if layer != "agency":
            raise StartError(f"--agency: an agency's rules are of layer agency, not {layer}; write --layer agency")
    taken = [path for path in files(rego) if (rule := RULE_FILE.fullmatch(path)) and rule["id"] == ident]
    if taken:
        raise StartError(f"{ident}: is taken by {taken[0]}; a rule is cited by its id alone, choose another")
    folder = f"brightline/agency/{agency}/rules/{ident}" if agency else f"brightline/rules/{layer}/{ident}"
    words = {
        "id": ident,
        "cls": layer,
        "package": folder.replace("/", "."),
        "fill": TO_FILL,
        "relaxed_by": RELAXED_BY[layer][-1] if layer == "agency" else "nobody",
        "keys": _KEYS.format(id=ident) if layer == "red_line" else "",
    }
    path = f"{folder}/{ident}.rego"
    made = {path: _RULE.format(**words), tests_of(path): _TESTS.format(**words)}
    if agency and not (rego / f"brightline/agency/{agency}/{agency}.rego").exists():
        root = f"brightline/agency/{agency}/{agency}.rego"
        made[root] = _AGENCY.format(agency=agency, collected=COLLECTED.format(agency=agency))
        made[tests_of(root)] = _AGENCY_TEST.format(agency=agency)
    for name, text in made.items():
        (rego / name).parent.mkdir(parents=True, exist_ok=True)
        with (rego / name).open("x", encoding="utf-8") as file:
            file.write(text)
    return list(made)


def _named(name: str, what: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name) or name.endswith("_test"):
        raise StartError(
            f"{what}: {name!r} is no name for a folder of rules; write lower-case letters, digits and underscores, a "
            "letter first, at most 64, and not _test at the end"
        )
