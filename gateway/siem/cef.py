r"""Records in ArcSight's Common Event Format, revision 0: a header of seven fields, then keys and values.

Callers' text can't end a field, a value or a line. In the header a backslash and a vertical bar are escaped. In a value
a backslash, an equals sign and line ends (as \n and \r) are escaped. Other control characters, bidirectional controls,
and line ends in the header have no escape and become U+FFFD.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.metadata import version as installed
from typing import Final

from gateway.siem.event import Event, Severity

MOST: Final = 1023
"""Characters of a value. A longer value is cut, which … shows. The record in the log is complete."""

_SEVERITY: Final = {
    Severity.INFORMATION: 1,
    Severity.LOW: 3,
    Severity.MEDIUM: 5,
    Severity.HIGH: 8,
    Severity.CRITICAL: 10,
}
_NEVER: Final = "\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
"""Characters that no part of a line may contain. Those that reorder text mislead like control characters."""
_CONTROL: Final = re.compile(rf"[\x00-\x1f{_NEVER}]")
_CONTROL_BUT_LINE_ENDS: Final = re.compile(rf"[\x00-\x09\x0b\x0c\x0e-\x1f{_NEVER}]")


def line(of: Event) -> str:
    """The CEF text of a record, without a line end."""
    signature = ":".join(filter(None, (of.kind, of.reason or of.outcome)))
    head = ("Brightline", "Gateway", installed("brightline-gateway"), signature, of.name)
    fields = "|".join(map(header, head))
    values = " ".join(f"{key}={value(text)}" for key, text in _extension(of) if text)
    return f"CEF:0|{fields}|{_SEVERITY[of.severity]}|{values}"


def header(text: str) -> str:
    """Text as a field of the header."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", _cut(text)).replace("\\", "\\\\").replace("|", "\\|")


def value(text: str) -> str:
    """Text as a value. Trailing spaces are removed, because a reader would lose them between values."""
    plain = _CONTROL_BUT_LINE_ENDS.sub("\N{REPLACEMENT CHARACTER}", _cut(text)).rstrip(" ")
    return plain.replace("\\", "\\\\").replace("=", "\\=").replace("\n", "\\n").replace("\r", "\\r")


def _cut(text: str) -> str:
    return text if len(text) <= MOST else f"{text[: MOST - 1]}…"


def _extension(of: Event) -> Iterator[tuple[str, str]]:
    record = of.record
    yield "rt", str(record["time_us"] // 1000)
    yield "externalId", str(record["decision_id"])
    yield "deviceExternalId", of.origin
    yield from _labelled("cn1", "index", str(of.index))
    yield "cat", of.kind
    yield "act", of.outcome
    yield "outcome", "success" if of.well else "failure"
    yield "reason", of.reason
    yield "requestMethod", str(record.get("method", ""))
    yield "suser", of.principal("subject")
    yield "sourceServiceName", of.principal("client_id")
    place = of.address()
    if place:
        yield "src" if ":" not in place[0] else "c6a2", place[0]
        if ":" in place[0]:
            yield "c6a2Label", "Source IPv6 Address"
        yield "spt", str(place[1])
    yield "dvchost", of.where("node")
    yield from _labelled("cs1", "tenant", of.principal("tenant"))
    yield from _labelled("cs2", "rules", ", ".join(rule["id"] for rule in of.rules))
    release = record.get("release")
    yield from _labelled("cs3", "release", str(release.get("digest") if isinstance(release, dict) else release or ""))
    yield from _labelled("cs4", "purpose", str(of.asked("purpose") or ""))
    yield from _labelled("cs5", "model", str(of.asked("model") or (record.get("model") or {}).get("answered", "")))
    yield from _labelled("cs6", "incidents", ", ".join(told["text"] for told in of.incidents))
    yield "msg", str(record.get("why") or "") or (json.dumps(record["counts"]) if of.kind == "aggregate" else "")


def _labelled(key: str, label: str, text: str) -> Iterator[tuple[str, str]]:
    """A custom field of CEF, with its label."""
    if text:
        yield f"{key}Label", label
        yield key, text
