"""The policy reference in Markdown, made from METADATA: a page for each rule, and one page for counsel."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from gateway.workshop.catalogue import ANSWERS, LAYERS, READ, Entry
from gateway.workshop.layout import Finding, files

COUNSEL: Final = "counsel.md"
RULES: Final = "rules"
_MADE: Final = "<!-- Made by `brightline policy docs` from the METADATA of the rules; edit that, not this. -->"

_COUNSEL: Final = f"""{_MADE}

# The rules in force, for counsel

What the policy refuses or requires, on what authority, and who may relax it. The tables list every rule of the pack,
and each name links to the page of the rule. Nothing here is legal advice, and no statement quotes its source.

**How a source was read.** *First hand*: the authors of the rule read it. *Second hand*: they read what others say of
it. *General knowledge*: nobody checked. The last two are not quoted law. Check such a source before you rely on it.

**Which rule wins.** The decision is the strictest answer of all layers. A layer can add restrictions to another and
never removes any. An exception is not an edit. A grant is a signed addendum for one rule of the provider's baseline,
limited in scope and time. A statutory exception is cited in the request. An approval names its approver. The record of
a decision names each exception that the decision rests on, and the release that was in force.

**What a caller learns.** About a refusal, a caller learns the rules behind it, their sources, and what can be done. A
caller never learns thresholds, scores or anything about another agency.
"""


def pages(entries: Sequence[Entry], policy: str) -> dict[str, str]:
    """Every page, by its path in the documentation folder. policy: the policy's path relative to that folder."""
    common = [entry for entry in entries if not entry.rule.agency]
    made = {f"{RULES}/{entry.rule.custom.id}.md": _page(entry, f"../{policy}") for entry in common}
    return {**made, COUNSEL: "\n".join([_COUNSEL, *_layers(common)])}


def write(folder: Path, made: Mapping[str, str]) -> None:
    """Write the pages, and delete those of rules that no longer exist."""
    (folder / RULES).mkdir(parents=True, exist_ok=True)
    for gone in {path for path in _there(folder) if path not in made}:
        (folder / gone).unlink()
    for path, text in made.items():
        (folder / path).write_text(text, encoding="utf-8")


def drifted(folder: Path, made: Mapping[str, str]) -> Iterator[Finding]:
    """Every page that differs from METADATA."""
    for path in sorted({*made, *_there(folder)}):
        kept = (folder / path).read_text(encoding="utf-8") if (folder / path).exists() else None
        if kept != made.get(path):
            yield Finding(path, "is not what the METADATA of the rules says; run: brightline policy docs")


def _there(folder: Path) -> list[str]:
    return [f"{RULES}/{name}" for name in files(folder / RULES)]


def _page(entry: Entry, policy: str) -> str:
    rule, custom = entry.rule, entry.rule.custom
    answers = " or ".join(ANSWERS[effect] for effect in entry.effects)
    obliged = f" ({', '.join(f'`{kind}`' for kind in entry.obligations)})" if entry.obligations else ""
    return "\n".join(
        [
            _MADE,
            "",
            f"# {_text(rule.title)}",
            "",
            f"> {_text(custom.statement)}",
            "",
            *_table(
                ("", ""),
                [
                    ("rule", f"[`{custom.id}`]({policy}/{rule.path})"),
                    ("layer", f"`{custom.cls}`: {LAYERS[custom.cls]}"),
                    ("answer", f"{answers}{obliged}"),
                    ("who may relax it", _text(entry.relaxed())),
                    ("what a caller can do", _text(custom.remedy)),
                ],
            ),
            "",
            textwrap.fill(_text(rule.description), 120, break_long_words=False, break_on_hyphens=False),
            "",
            "## Sources",
            "",
            *_table(("source", "how it was read"), [(_text(s.title), READ[s.read]) for s in custom.sources]),
            "",
            "## Facts it reads",
            "",
            *_table(("fact", "what it is"), [(f"`{path}`", _text(what)) for path, what in entry.facts.items()]),
            "",
        ]
    )


def _layers(entries: Sequence[Entry]) -> Iterator[str]:
    for layer, meaning in LAYERS.items():
        rules = [entry for entry in entries if entry.rule.custom.cls == layer]
        if rules:
            yield from (f"## {layer}", "", f"Rules of this layer are {meaning}.", "")
            yield from _table(("rule", "what it says", "source", "exception, and who may relax it"), map(_row, rules))
            yield ""


def _row(entry: Entry) -> tuple[str, str, str, str]:
    custom = entry.rule.custom
    cited = "<br>".join(f"{_text(source.title)} (*{READ[source.read]}*)" for source in custom.sources)
    link = f"[{_text(entry.rule.title)}]({RULES}/{custom.id}.md)"
    return link, _text(custom.statement), cited, _text(entry.relaxed())


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [_cells(head), f"|{'---|' * len(head)}", *map(_cells, rows)]


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |".replace("  ", " ")


def _text(text: str) -> str:
    """Text of METADATA, escaped so that it creates no table, link, emphasis or other markup."""
    return re.sub(r"([\\|`*_\[\]<>])", r"\\\1", " ".join(text.split()))
