"""OPA's own checks: strict mode, the schema of the input, and the permitted built-in functions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from gateway.workshop.capabilities import capabilities
from gateway.workshop.layout import Finding, files, is_rego
from gateway.workshop.modules import errors
from gateway.workshop.opa import opa, said

INPUT: Final = "schemas/input.json"
_IN_ORDER: Final[set[tuple[str, bytes]]] = set()
_RULES_ONLY: Final = ("--ignore", "*_test.rego", "--ignore", "fixtures")
_REMEDIES: Final = (
    (
        r"undefined function (?!data\.)",
        (
            "rules call only what Wasm computes inside: no network, clock, randomness, runtime, print or trace; "
            "times are integers of the input, texts are joined with concat"
        ),
    ),
    (r"undefined function", "define it, or correct its name"),
    (r"undefined ref: input", f"{INPUT} has every fact there is"),
    (r"deprecated", "use what replaces it"),
    (r"multiple default|conflict|redeclared|recursive", "a name is defined in one way; rename or remove one"),
    (r"unused", "remove it"),
    (r"unsafe", "give it a value before it is used"),
)


def formatted(rego: Path) -> Iterator[Finding]:
    """Files that are not formatted as `opa fmt` writes them. Results for well-formatted files are cached."""
    asked = [(path, (rego / path).read_bytes()) for path in files(rego) if is_rego(path)]
    new = [one for one in asked if one not in _IN_ORDER]
    if not new:
        return
    done = opa("fmt", "--list", *(path for path, _ in new), at=rego)
    wrong = done.stdout.splitlines()
    if done.returncode == 0:  # opa fmt stops at a file that is not Rego, without checking those after it
        _IN_ORDER.update(one for one in new if one[0] not in wrong)
    for path in wrong:
        yield Finding(path, "is not formatted; run: brightline policy fmt --write")


def checked(rego: Path) -> Iterator[Finding]:
    """What OPA's compiler refuses in the rules and, if there is nothing, in the tests."""
    if not (rego / INPUT).is_file():
        yield Finding(INPUT, "is missing; it describes the facts, and is the same in every policy folder")
        return
    found = list(_checked(rego, of_tests=False))
    yield from found or _checked(rego, of_tests=True)


def _checked(rego: Path, *, of_tests: bool) -> Iterator[Finding]:
    with capabilities(of_tests=of_tests) as allowed:
        options = ("--strict", "--format", "json", "--max-errors", "100", "--schema", INPUT, "--capabilities", allowed)
        done = opa("check", *options, *(() if of_tests else _RULES_ONLY), "--bundle", ".", at=rego)
    if done.returncode:
        found = [replace(f, text=f"{f.text}; {_remedy(f.text)}") for f in errors(done.stderr)]
        yield from found or [Finding("", f"opa check: {said(done)}")]


def _remedy(text: str) -> str:
    return next((remedy for pattern, remedy in _REMEDIES if re.search(pattern, text)), "correct it and check again")
