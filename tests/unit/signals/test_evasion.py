"""Every transformation that the detectors undo, applied to requests across a red line: none of them lowers a score."""

from __future__ import annotations

import base64
import codecs
import html
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from gateway.signals import Detectors
from tests.unit.signals.test_lexical import DENIED, SIGNALS

LINES = (Path(__file__).parent / "sentences.jsonl").read_text(encoding="utf-8").splitlines()
ROWS = [json.loads(line) for line in LINES]
DETECTORS = Detectors(deadline_ms=60_000)
ALIKE = str.maketrans("aeiopc", "\u0430\u0435\u0456\u043e\u0440\u0441")
LATIN = "abcdefghijklmnopqrstuvwxyz"
SMALL = str.maketrans("abcdegijklmnoprtuvwz", "ᴀʙᴄᴅᴇɢɪᴊᴋʟᴍɴᴏᴘʀᴛᴜᴠᴡᴢ")
BOLD = str.maketrans(
    LATIN + LATIN.upper(), "".join(chr(0x1D41A + n) for n in range(26)) + "".join(chr(0x1D400 + n) for n in range(26))
)


Way = Callable[[str], str]


def every(step: int, text: str, change: Way) -> str:
    """Each so many-th character changed."""
    return "".join(change(c) if number % step == 0 else c for number, c in enumerate(text))


def symbols(text: str, first: int) -> str:
    """Each Latin letter as the symbol that has it, of those that begin with `first` for A."""
    return "".join(chr(first + LATIN.index(c)) if c in LATIN else c for c in text.lower())


WAYS: dict[str, Way] = {
    "capitals": str.upper,
    "Turkish capitals": lambda t: t.upper().replace("I", "\u0130"),
    "Turkish small letters": lambda t: t.replace("i", "\u0131"),
    "full width": lambda t: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in t),
    "mathematical letters": lambda t: t.translate(BOLD),
    "look-alikes, some": lambda t: every(9, t, lambda c: c.translate(ALIKE)),
    "decomposed marks": lambda t: every(4, t, lambda c: f"{c}\u0301"),
    "zero width": "\u200b".join,
    "soft hyphens": lambda t: every(3, t, lambda c: f"{c}\u00ad"),
    "bidi controls": lambda t: f"\u202e{t}\u202c",
    "tag characters": lambda t: "Hello. " + "".join(chr(0xE0000 + ord(c)) for c in t if c.isascii()),
    "entities": lambda t: "".join(f"&#{ord(c)};" for c in t),
    "named entities": lambda t: html.escape(t).replace(" ", "&nbsp;"),
    "entities with zeros": lambda t: "".join(f"&#{ord(c):012};" if c.isascii() else c for c in t),
    "entities twice": lambda t: "".join(f"&amp;#{ord(c)};" for c in t),
    "percent-encoding": quote,
    "percent-encoding twice": lambda t: "".join(f"%25{b:02x}" for b in t.encode()),
    "soft ends of lines": lambda t: "=\r\n".join(t[at : at + 7] for at in range(0, len(t), 7)),
    "letters apart": lambda t: "  ".join(" ".join(word) for word in t.split()),
    "letters far apart": lambda t: "     ".join("  ".join(word) for word in t.split()),
    "letters one a line": lambda t: "\n\n\n".join("\n".join(word) for word in t.split()),
    "letters with strokes": lambda t: " ".join("/".join(word) for word in t.split()),
    "dotted letters": lambda t: " ".join(".".join(word) for word in t.split()),
    "letters in circles": lambda t: symbols(t, 0x24B6),
    "letters in brackets": lambda t: symbols(t, 0x1F110),
    "letters in dark circles": lambda t: symbols(t, 0x1F150),
    "letters in dark squares": lambda t: symbols(t, 0x1F170),
    "letters of flags": lambda t: symbols(t, 0x1F1E6),
    "small capitals": lambda t: t.lower().translate(SMALL),
    "far apart": lambda t: (" " * 16_000).join(t.split()),
    "far apart, unseen": lambda t: ("\u200b" * 16_000 + "\n").join(t.split()),
    "dots between": lambda t: (" ." * 8_000 + " ").join(t.split()),
    "escapes between": lambda t: "\\n".join(t.split()),
    "escaped letters": lambda t: "".join(f"\\u{ord(c):04x}" if c.isascii() else c for c in t),
    "escaped bytes, some": lambda t: every(3, t, lambda c: f"\\x{ord(c):02x}" if c.isascii() else c),
    "escaped twice": lambda t: json.dumps(json.dumps("\n".join(t.split()))),
    "base64 in lines": lambda t: base64.encodebytes(t.encode()).decode(),
    "base64 in entities": lambda t: "".join(f"&#{b};" for b in base64.b64encode(t.encode())),
    "hexadecimal": lambda t: t.encode().hex(" "),
    "hexadecimal with dashes": lambda t: t.encode().hex("-"),
    "hexadecimal with tabs": lambda t: t.encode().hex("\t"),
    "hexadecimal in quotes": lambda t: ", ".join(f"'{b:02x}'" for b in t.encode()),
    "hexadecimal with bars": lambda t: t.encode().hex("|"),
    "rot13": lambda t: codecs.encode(t, "rot13"),
    "leetspeak": lambda t: t.lower().translate(str.maketrans("aeiost", "431057")),
    "backwards": lambda t: t[::-1],
    "each word backwards": lambda t: " ".join(word[::-1] for word in t.split()),
}
LONG = {"far apart", "far apart, unseen", "dots between"}
"""What makes megabytes of a request: one in eight is enough to see whether they are read."""
LOSSY = {
    "letters apart": 20,
    "letters far apart": 20,
    "letters one a line": 20,
    "letters with strokes": 15,
    "dotted letters": 15,
    "rot13": 20,
    "backwards": 20,
    "each word backwards": 20,
}
"""Of how many requests one may be lost: a word with an apostrophe stays in pieces, and what has fewer than two of the
words that tell an encoding is not taken for it.
"""


async def scores(text: str) -> dict[str, int | None]:
    return {r.name: r.score for r in await DETECTORS.read([text])}


@pytest.mark.parametrize("size", [1, 2, 5])
async def test_a_text_in_very_short_parts_is_read_whole(size: int) -> None:
    """However few characters a message or a part has, what they say together is refused as what is said in one.

    One in twenty may be lost: what the ends of neighbours make together stands around it.
    """
    asked, lost = 0, []
    for row in ROWS:
        if row["label"] in SIGNALS and ((await scores(row["text"]))[row["label"]] or 0) >= DENIED:
            text = row["text"]
            found = await DETECTORS.read([text[start : start + size] for start in range(0, len(text), size)])
            score = next(reading.score for reading in found if reading.name == row["label"])
            asked += 1
            lost += [text] * (score is not None and score < DENIED)
    assert asked >= 100
    assert len(lost) * 20 <= asked, lost


@pytest.mark.parametrize("way", WAYS)
async def test_no_transformation_hides_a_request(way: str) -> None:
    """What is refused plain is refused transformed, too: by its score, or because nobody can read it."""
    lost = []
    asked, each = 0, 8 if way in LONG else 1
    for row in ROWS[::each]:
        if row["label"] not in SIGNALS or not row["text"].isascii():
            continue
        if ((await scores(row["text"]))[row["label"]] or 0) < DENIED:
            continue
        asked += 1
        found = (await scores(WAYS[way](row["text"])))[row["label"]]
        if found is not None and found < DENIED:
            lost.append(row["text"])
    assert asked >= 100 // each
    assert len(lost) * LOSSY.get(way, asked + 1) <= asked, lost
