"""Messages of RFC 5424, in the frames in which RFC 5425 sends them over TLS."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.siem.event import Event, Severity

_LOG_AUDIT: Final = 13
"""The syslog facility "log audit"."""

_SEVERITY: Final = {
    Severity.INFORMATION: 6,
    Severity.LOW: 5,
    Severity.MEDIUM: 4,
    Severity.HIGH: 3,
    Severity.CRITICAL: 2,
}
"""RFC 5424 section 6.2.1: informational, notice, warning, error, critical."""

_NOT_PRINTABLE: Final = re.compile(r"[^\x21-\x7e]")


def message(of: Event, text: str) -> bytes:
    """A message about a record, with the one-line `text`. There is no byte order mark: CEF has to begin at once."""
    priority = _LOG_AUDIT * 8 + _SEVERITY[of.severity]
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=of.record["time_us"])
    when = f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"
    host = _NOT_PRINTABLE.sub("", of.where("node"))[:255] or "-"
    return f"<{priority}>1 {when} {host} brightline - {of.kind[:32]} - {text}".encode()


def frame(data: bytes) -> bytes:
    """A message in its frame: preceded by its length in octets (RFC 5425 section 4.3)."""
    return b"%d %s" % (len(data), data)
