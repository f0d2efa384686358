"""The built-in functions that Rego may call: in rules, those that the embedded engine has; in tests, most others too.

Network, clock, randomness, runtime settings, print and trace are forbidden in both.
"""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gateway.workshop.opa import opa

_NAMES: Final = """
    abs and array.concat array.flatten array.reverse array.slice assign base64.decode base64.encode base64.is_valid
    base64url.decode base64url.encode bits.and bits.lsh bits.negate bits.or bits.rsh bits.xor ceil concat contains count
    div endswith eq equal floor format_int glob.match graph.reachable gt gte indexof internal.member_2 internal.member_3
    internal.template_string intersection is_array is_boolean is_null is_number is_object is_set is_string json.filter
    json.is_valid json.marshal json.remove json.unmarshal lower lt lte max min minus mul neq net.cidr_contains
    net.cidr_intersects numbers.range object.filter object.get object.keys object.remove object.union object.union_n or
    plus product regex.find_all_string_submatch_n regex.is_valid regex.match rego.metadata.chain rego.metadata.rule rem
    replace round sort split startswith strings.replace_n strings.reverse substring sum to_number trim
    trim_left trim_prefix trim_right trim_space trim_suffix type_name union upper walk
"""
INSIDE: Final = frozenset(_NAMES.split())
"""Built-in functions that a Wasm module computes without its host, except print and deprecated ones."""

_OUTSIDE: Final = frozenset({"print", "trace", "internal.print", "providers.aws.sign_req"})
"""Forbidden in tests too, with everything that OPA itself calls nondeterministic."""


@functools.cache
def _current() -> str:
    """The capabilities of the installed version of OPA, as JSON."""
    return opa("capabilities", "--current", at=Path.cwd()).stdout


@contextmanager
def capabilities(*, of_tests: bool) -> Iterator[Path]:
    """The path of a capabilities file for `opa --capabilities`, for rules or for tests."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capabilities.json"
        current = json.loads(_current())
        current["builtins"] = [
            b
            for b in current["builtins"]
            if (b["name"] not in _OUTSIDE and not b.get("nondeterministic") if of_tests else b["name"] in INSIDE)
        ]
        current["allow_net"] = []
        path.write_text(json.dumps(current), encoding="utf-8")
        yield path
