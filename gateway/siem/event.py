"""What a record means for security monitoring, before it is formatted."""

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
    """Severity of an event: routine, a refusal, a failure, a red line, or an incident that has to be reported.

    A red line that refused only because something could not be judged is a failure: of a detector, or of the declared
    purpose's author.
    """

    INFORMATION = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5


@dataclass(frozen=True, slots=True)
class Event:
    """A record of a log, with the log's name, its index and derived values."""

    origin: str
    index: int
    leaf: bytes
    record: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """The kind of the record."""
        return str(self.record["kind"])

    @property
    def outcome(self) -> str:
        """How the call ended; empty for records that have no end."""
        return str(self.record.get("outcome", ""))

    @property
    def reason(self) -> str:
        """The public reason code; empty if the call ended well."""
        return str(self.record.get("reason", ""))

    @property
    def well(self) -> bool:
        """Whether everything went as it should."""
        return not self.outcome or self.outcome in _ENDED_WELL

    @property
    def rules(self) -> list[Mapping[str, Any]]:
        """The rules that fired."""
        return list(self.record.get("rules") or ())

    @property
    def incidents(self) -> list[Mapping[str, Any]]:
        """The incidents that have to be reported."""
        return list(self.record.get("incidents") or ())

    @property
    def severity(self) -> Severity:
        """The severity of the event."""
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
        """A short name: the kind, the outcome, and the rules or the reason."""
        why = ", ".join(rule["id"] for rule in self.rules) or self.reason
        return " ".join(filter(None, (self.kind, self.outcome, f"({why})" if why else "")))

    def principal(self, field: str) -> str:
        """A field of the authenticated caller; empty if there is none."""
        return str((self.record.get("principal") or {}).get(field, ""))

    def asked(self, field: str) -> Any:
        """A fact of the request; None if there is none."""
        return ((self.record.get("input") or {}).get("request") or {}).get(field)

    def where(self, field: str) -> str:
        """A fact of the gateway's deployment."""
        return str((self.record.get("where") or {}).get(field, ""))

    def address(self) -> tuple[str, int] | None:
        """IP address and port of the peer, or None if the record has none."""
        return parted(str((self.record.get("peer") or {}).get("address", "")))


SYSTEM: Final = frozenset({Kind.START, Kind.STOP, Kind.RELEASE})
"""Kinds of records about the gateway itself."""


def parted(address: str) -> tuple[str, int] | None:
    """IP address and port of "ipv4:127.0.0.1:9", "ipv6:[::1]:9" (gRPC's forms) or "127.0.0.1:9"; otherwise None."""
    host, _, port = address.removeprefix("ipv4:").removeprefix("ipv6:").rpartition(":")
    host = host.replace("%5B", "[").replace("%5D", "]").removeprefix("[").removesuffix("]")
    try:
        number = int(port) if port.isascii() else -1
        return (str(ipaddress.ip_address(host)), number) if 0 <= number <= 65535 else None
    except ValueError:
        return None
