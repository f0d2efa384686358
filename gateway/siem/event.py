"""What a record means to who watches for events, before it is put into a format."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from brightline_verify.record import Kind, Outcome
from gateway.audit.unjudged import unjudged

_ENDED_WELL: Final = {Outcome.PERMITTED, Outcome.COMPLETED}
_FAILED: Final = {Outcome.ERROR, Outcome.UPSTREAM_ERROR, Outcome.UNKNOWN, Outcome.NOT_FORWARDED}


class Severity(IntEnum):
    """How much it matters: a matter of course, a refusal, a failure, a red line, something that has to be reported.

    A red line that refused only what nobody could judge is a failure: of a detector, or of whoever wrote the purpose.
    """

    INFORMATION = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5


@dataclass(frozen=True, slots=True)
class Event:
    """A record of a log, by its name and its index in it, with what was derived."""

    origin: str
    index: int
    leaf: bytes
    record: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """What the record is about."""
        return str(self.record["kind"])

    @property
    def outcome(self) -> str:
        """How it ended; empty for what has no end."""
        return str(self.record.get("outcome", ""))

    @property
    def reason(self) -> str:
        """The public reason; empty when it ended well."""
        return str(self.record.get("reason", ""))

    @property
    def well(self) -> bool:
        """Whether it went as it should."""
        return not self.outcome or self.outcome in _ENDED_WELL

    @property
    def rules(self) -> list[Mapping[str, Any]]:
        """The rules that fired."""
        return list(self.record.get("rules") or ())

    @property
    def incidents(self) -> list[Mapping[str, Any]]:
        """What has to be reported."""
        return list(self.record.get("incidents") or ())

    @property
    def severity(self) -> Severity:
        """How much it matters."""
        if self.incidents:
            return Severity.CRITICAL
        red_lines = {rule["id"] for rule in self.rules if rule["class"] == "red_line"}
        if red_lines - unjudged(self.record):
            return Severity.HIGH
        if red_lines or self.outcome in _FAILED:
            return Severity.MEDIUM
        return Severity.INFORMATION if self.well else Severity.LOW

    @property
    def name(self) -> str:
        """In a few words: the kind, how it ended, and the rules or the reason."""
        why = ", ".join(rule["id"] for rule in self.rules) or self.reason
        return " ".join(filter(None, (self.kind, self.outcome, f"({why})" if why else "")))

    def principal(self, field: str) -> str:
        """What was proved of the caller; empty when nobody was."""
        return str((self.record.get("principal") or {}).get(field, ""))

    def asked(self, field: str) -> Any:
        """A fact of what was asked; None when there is none."""
        return ((self.record.get("input") or {}).get("request") or {}).get(field)

    def where(self, field: str) -> str:
        """Where the gateway runs."""
        return str((self.record.get("where") or {}).get(field, ""))

    def address(self) -> tuple[str, int] | None:
        """IP address and port of the other end, None when the record has none."""
        return parted(str((self.record.get("peer") or {}).get("address", "")))


SYSTEM: Final = frozenset({Kind.START, Kind.STOP, Kind.RELEASE})
"""Kinds that are about the gateway itself."""


def parted(address: str) -> tuple[str, int] | None:
    """IP address and port of "ipv4:127.0.0.1:9", "ipv6:[::1]:9" (gRPC's way) or "127.0.0.1:9"; else None."""
    host, _, port = address.removeprefix("ipv4:").removeprefix("ipv6:").rpartition(":")
    host = host.replace("%5B", "[").replace("%5D", "]").removeprefix("[").removesuffix("]")
    try:
        number = int(port) if port.isascii() else -1
        return (str(ipaddress.ip_address(host)), number) if 0 <= number <= 65535 else None
    except ValueError:
        return None
