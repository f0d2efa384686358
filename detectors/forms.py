"""Measures what shows by its form, on texts and tools that others wrote: `python -m detectors.forms`.

Keys and numbers that stand in no repository are written as {{name}} in the files, and made here, the same each time.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from string import ascii_letters, ascii_uppercase, digits
from typing import Any, Final

from gateway.effectors import apparent
from gateway.signals import Detectors
from gateway.types import Effector

HERE: Final = Path(__file__).parent / "forms"
LIMIT: Final = 500
GRAVE: Final[frozenset[Effector]] = frozenset({"cyber", "physical", "weapon", "nuclear"})
"""The effectors for which rules of everyone refuse a tool that does not declare them."""

_ALNUM: Final = ascii_letters + digits
_BASE64: Final = _ALNUM + "+/"
_HEX: Final = "0123456789abcdef"
_PLACE: Final = re.compile(r"(?<!\$)\{\{(\w+)\}\}")

Row = dict[str, Any]


def rows(name: str) -> list[Row]:
    """The lines of a file, filled."""
    read = [json.loads(line) for line in (HERE / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    return [row | {"text": filled(row["text"], row["id"])} if "text" in row else row for row in read]


def filled(text: str, seed: str) -> str:
    """The text with something of its form for each placeholder. Raises KeyError for one that nobody knows."""
    chance = random.Random(seed)  # noqa: S311 - nothing is kept secret with it
    return _PLACE.sub(lambda place: _MADE[place[1]](chance), text)


def found(row: Row, detectors: Detectors, signal: str) -> bool:
    """Whether the signal is heard in a text, or the text can't be read, which refuses as well."""
    scores = {reading.name: reading.score for reading in asyncio.run(detectors.read([row["text"]]))}
    score = scores[signal]
    return score is None or score >= LIMIT


def spoken(row: Row) -> tuple[Effector, ...]:
    """What the words of a tool speak of."""
    return apparent(row["name"], row["description"] or "", json.dumps(row["input_schema"]))


def measured() -> Iterator[tuple[str, int, int]]:
    """For each sort of texts and tools: what it is, how many are found, and of how many."""
    detectors = Detectors(deadline_ms=60_000)
    for file in sorted(HERE.glob("*.jsonl")):
        read = rows(file.stem)
        if "does" in read[0]:
            yield from _of_tools(file.stem, read)
        else:
            signal = "us_person" if "us_person" in read[0] else "credentials"
            for there, word in ((True, "there"), (False, "not there")):
                for hard, how in ((False, "plain"), (True, "hard")):
                    some = [row for row in read if row[signal] is there and row["hard"] is hard]
                    yield f"{file.stem}: {word}, {how}", sum(found(row, detectors, signal) for row in some), len(some)


def _of_tools(name: str, read: list[Row]) -> Iterator[tuple[str, int, int]]:
    for does in dict.fromkeys(row["does"] for row in read if row["does"] != "read_only"):
        some = [row for row in read if row["does"] == does]
        yield f"{name}: {does}", sum(does in spoken(row) for row in some), len(some)
    some = [row for row in read if row["does"] in GRAVE]
    yield f"{name}: any that rules mind", sum(not GRAVE.isdisjoint(spoken(row)) for row in some), len(some)
    some = [row for row in read if row["does"] not in GRAVE]
    yield f"{name}: taken for one of these", sum(not GRAVE.isdisjoint(spoken(row)) for row in some), len(some)


def _of(alphabet: str, size: int, prefix: str = "", suffix: str = "") -> Callable[[random.Random], str]:
    return lambda chance: prefix + "".join(chance.choice(alphabet) for _ in range(size)) + suffix


def _block(kind: str, lines: int) -> Callable[[random.Random], str]:
    def made(chance: random.Random) -> str:
        body = "\n".join(_of(_BASE64, 64)(chance) for _ in range(lines))
        return f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----"

    return made


def _ssn(dash: str) -> Callable[[random.Random], str]:
    return lambda chance: dash.join(
        (f"{chance.randint(1, 665):03}", f"{chance.randint(1, 99):02}", f"{chance.randint(1, 9999):04}")
    )


def _jwt(chance: random.Random) -> str:
    return ".".join((_of(_ALNUM, 33, "eyJ")(chance), _of(_ALNUM, 60, "eyJ")(chance), _of(_ALNUM, 43)(chance)))


_MADE: Final[dict[str, Callable[[random.Random], str]]] = {
    "age": _of("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58, "AGE-SECRET-KEY-1"),
    "anthropic": _of(_ALNUM, 88, "sk-ant-api03-"),
    "aws_id": _of(ascii_uppercase + "234567", 16, "AKIA"),
    "aws_secret": _of(_BASE64, 40),
    "azure_key": _of(_BASE64, 86, suffix="=="),
    "base64_44": _of(_BASE64, 43, suffix="="),
    "git": _of(_HEX, 40),
    "github": _of(_ALNUM, 36, "ghp_"),
    "gitlab": _of(_ALNUM, 20, "glpat-"),
    "google": _of(_ALNUM, 35, "AIza"),
    "hex32": _of(_HEX, 32),
    "hex64": _of(_HEX, 64),
    "jwt": _jwt,
    "md5": _of(_HEX, 32),
    "npm": _of(_ALNUM, 36, "npm_"),
    "openai": _of(_ALNUM, 48, "sk-proj-"),
    "pem_certificate": _block("CERTIFICATE", 6),
    "pem_ec": _block("EC PRIVATE KEY", 2),
    "pem_openssh": _block("OPENSSH PRIVATE KEY", 4),
    "pem_public": _block("PUBLIC KEY", 3),
    "pem_rsa": _block("RSA PRIVATE KEY", 6),
    "pypi": _of(_ALNUM, 100, "pypi-"),
    "sha256": _of(_HEX, 64),
    "slack": _of(digits, 24, "xoxb-"),
    "slack_hook": _of(_ALNUM, 24, "https://hooks.slack.com/services/T0A1B2C3D/B0E1F2G3H/"),
    "ssh_public": _of(_BASE64, 43, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"),
    "ssn": _ssn("-"),
    "ssn_plain": _ssn(""),
    "stripe": _of(_ALNUM, 24, "sk_live_"),
    "uuid": lambda chance: "-".join(_of(_HEX, size)(chance) for size in (8, 4, 4, 4, 12)),
}


if __name__ == "__main__":
    for what, hits, of in measured():
        print(f"{what:48} {hits:4} of {of:4}  {100 * hits / of:5.1f} %")
