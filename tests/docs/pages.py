"""The pages of the documentation as tests read them: commands, blocks of code, tables, headings and links.

A console block holds commands, each on a line that starts with "$ ", and below it what it prints. A line that ends with
a backslash goes on in the next. A comment at the end says when the exit code is another than 0: "# exits with 1". In
what it prints, … stands for any text, and a line of nothing but … for any lines. What follows the last line shown is
not compared. A block whose first line is a comment with the name of a file is that file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    p.relative_to(ROOT).as_posix()
    for p in (
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        ROOT / "clients/python/README.md",
        ROOT / "clients/verify/README.md",
    )
)

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXIT = re.compile(r"\s+# exits with (\d+)$")
_HEADING = re.compile(r"^(#{1,6}) (.+)$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Command:
    """A command of a console block, as a shell takes it. shown: the lines below it."""

    text: str
    exit_code: int
    shown: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """A fenced block. language: as after the fence."""

    language: str
    text: str

    def file(self) -> str:
        """The name of the file that the block is: a comment in its first line, as in "# authz.rego"; empty if none."""
        named = re.match(r"# (\S+\.[a-z]+)\n", self.text)
        return named[1] if named else ""

    def commands(self) -> list[Command]:
        """The commands of a console block; fails where it has something else."""
        found: list[tuple[str, list[str]]] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif found and found[-1][0].endswith("\\") and not found[-1][1]:
                found[-1] = (f"{found[-1][0]}\n{line}", [])
            else:
                assert found, f"a console block begins with a command, not with {line!r}"
                found[-1][1].append(line)
        return [_command(text, shown) for text, shown in found]


def _command(text: str, shown: list[str]) -> Command:
    code = _EXIT.search(text)
    return Command(_EXIT.sub("", text), int(code[1]) if code else 0, tuple(shown))


def read(page: str) -> str:
    """The text of a page."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    return (Block(match[1], match[2]) for match in _FENCE.finditer(read(page)))


def prose(page: str) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", read(page))


def links(page: str) -> list[str]:
    """Where the links of a page lead."""
    return _LINK.findall(prose(page))


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as forges make them."""
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for _, text in _HEADING.findall(prose(page))}


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the rows of the first table below a heading, without its head, code marks taken off."""
    text = prose(page)
    start = re.search(rf"^#{{1,6}} {re.escape(heading)}$", text, re.MULTILINE)
    assert start, f"{page} has no heading {heading!r}"
    section = re.split(r"^#{1,6} ", text[start.end() :], maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    assert len(lines) > 2, f"{page} has no table below {heading!r}"
    cells = [re.split(r"(?<!\\)\|", line.strip("|")) for line in lines[2:]]
    return [[cell.strip().strip("`").replace("\\|", "|") for cell in row] for row in cells]


def matches(shown: tuple[str, ...], printed: str) -> bool:
    """Whether the output begins with the lines that are shown, with … for what differs."""
    pattern = ""
    for line in shown:
        if line.strip() == "…":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*".join(map(re.escape, line.rstrip().split("…"))) + r"[ ]*\n"
    return re.match(pattern, f"{printed}\n") is not None
