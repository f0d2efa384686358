"""The texts and tools that forms are measured by, and what the documents say of them."""

from __future__ import annotations

import re

from detectors.forms import HERE, filled, measured, rows

FIGURES = {what: (hits, of) for what, hits, of in measured()}
DOCUMENT = (HERE.parent.parent / "docs/detectors.md").read_text(encoding="utf-8")
LAST = {
    "a secret in it, plain": r"credentials-0[23]: there, plain",
    "a secret in it, hard to see": r"credentials-0[23]: there, hard",
    "no secret, and taken for one": r"credentials-0[23]: not there, .*",
    "a US person in it, plain": r"us-persons-0[23]: there, plain",
    "a US person in it, hard to see": r"us-persons-0[23]: there, hard",
    "no US person, and taken for one": r"us-persons-0[23]: not there, .*",
    "a tool that acts on networks, things, as a weapon or a nuclear one: some such effector": (
        r"tools-03: any that rules mind"
    ),
    "a tool that does none of this, and is taken for one that does": r"tools-03: taken for one of these",
}


def together(which: str) -> str:
    some = [figure for what, figure in FIGURES.items() if re.fullmatch(which, what)]
    return f"{sum(hits for hits, _ in some)} | {sum(of for _, of in some)}"


def test_the_document_has_the_figures() -> None:
    """Each figure of the last files is what they give now."""
    table = dict(re.findall(r"^\| ((?:a|no) [^|]+) \| (\d+ \| \d+) \|$", DOCUMENT, re.MULTILINE))
    assert {name: table[name] for name in LAST} == {name: together(which) for name, which in LAST.items()}


def test_little_else_is_taken_for_what_is_looked_for() -> None:
    """Of all files, what has nothing of the kind is taken for it in at most one of twenty cases."""
    wrong = [(hits, of) for what, (hits, of) in FIGURES.items() if "not there" in what or "taken for" in what]
    assert len(wrong) == 15
    assert sum(hits for hits, _ in wrong) * 20 <= sum(of for _, of in wrong)


def test_names_are_used_once_and_nothing_in_the_files_is_a_secret() -> None:
    """Every line has a name of its own; every placeholder is known, and what stands for it is the same each time."""
    names = [row["id"] for file in HERE.glob("*.jsonl") for row in rows(file.stem)]
    assert len(set(names)) == len(names)
    assert (
        filled("{{ssn}} {{pem_rsa}}", "a") == filled("{{ssn}} {{pem_rsa}}", "a") != filled("{{ssn}} {{pem_rsa}}", "b")
    )
    text = "".join(file.read_text(encoding="utf-8") for file in HERE.glob("*.jsonl"))
    assert not re.search(r"AKIA(?!X)[A-Z2-7]{16}|ghp_\w{36}|PRIVATE KEY-----(?:\\n)+[A-Za-z0-9+/]{20}", text)
