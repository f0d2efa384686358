"""An approval: who may repeat which held back request, once, and until when. It is a record in the log.

Its identifier consists of the decision id of that record and a MAC over what the record says. The MAC's key is derived
from the commitment key, so somebody who can write the database can't approve anything. The identifier is no secret: it
works only for the approved caller and request.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from brightline_verify.record import Kind, Outcome
from gateway.audit import keys
from gateway.audit.keys import Commitments
from gateway.canonical import Json, canonical, digest
from gateway.errors import Reason
from gateway.types import Prompt, content_bytes

_LABEL: Final = b"brightline.v1.approval"
_ID: Final = 32
"""Hexadecimal digits of a decision id, and of the MAC that follows it: 128 bits each."""


@dataclass(frozen=True, slots=True)
class Approval:
    """id: the decision id of its record. about: that of the request that was held back. digest: of what was asked.

    subject: the caller, as named by the token issuer. until_us: when it expires. why: what the approver wrote.
    """

    id: str
    about: str
    tenant: str
    issuer: str
    subject: str
    approver: str
    digest: str
    until_us: int
    why: str

    def identifier(self, commitments: Commitments) -> str:
        """What a caller sends as `approval_id`."""
        about: Json = [self.id, self.about, self.tenant, self.issuer, self.subject, self.approver]
        said = canonical([about, self.digest, self.until_us, self.why])
        return self.id + hmac.digest(commitments.derived(_LABEL), said, "sha256").hex()[:_ID]


@dataclass(frozen=True, slots=True)
class Held:
    """A request that a rule held back for approval. digest: empty if its record does not tell it."""

    id: str
    time_us: int
    issuer: str
    subject: str
    purpose: str
    model: str
    rules: tuple[str, ...]
    digest: str


def asked(commitments: Commitments, about: str, prompt: Prompt, request: Mapping[str, Json]) -> str:
    """The digest of a request: its content and declarations. about: the decision id of the held back request.

    request: the request facts of the decision input. Two requests have the same digest if they do not differ in
    anything that is judged or forwarded.
    """
    return _digest(commitments.of(keys.PROMPT, about, content_bytes(prompt)), request)


def _digest(judged: Json, request: Mapping[str, Json]) -> str:
    return digest({"judged": judged, "request": {**request, "approval": None}})


def held(record: Mapping[str, Any], commitments: Commitments) -> Held | None:
    """The held back request that a record describes; None for any other record."""
    if (record["kind"], record.get("reason")) != (Kind.REFUSAL, Reason.APPROVAL_REQUIRED) or not record["principal"]:
        return None
    request = (record.get("input") or {}).get("request") or {}
    commitment = record.get("commitments") or {}
    declared = record.get("declared") or {}
    as_asked = {**request, "model": declared.get("model", request.get("model"))}  # the input has the routed model
    same_key = request and commitment.get("key") == commitments.key_id
    return Held(
        record["decision_id"],
        record["time_us"],
        ((record.get("peer") or {}).get("token") or {}).get("issuer", ""),
        record["principal"].get("subject", ""),
        request.get("purpose", ""),
        request.get("model", ""),
        tuple(rule["id"] for rule in record.get("rules", ()) if rule["effect"] == "require_approval"),
        _digest(commitment.get("judged"), as_asked) if same_key else "",
    )


def found(
    identifier: str, records: Iterable[Mapping[str, Any]], issuer: str, commitments: Commitments
) -> Approval | None:
    """The approval with that identifier among the records of its decision; None if there is none.

    issuer: of the token that the identifier is sent with. The record does not contain the issuer; the identifier covers
    the issuer of the original caller's token.
    """
    for record in records:
        said, principal = record.get("approval"), record.get("principal")
        if (record["kind"], record.get("outcome")) != (Kind.APPROVAL, Outcome.COMPLETED) or not said or not principal:
            continue
        who = principal.get("tenant", ""), issuer, said["subject"], principal.get("subject", "")
        what = said["digest"], said["until_us"], said["why"]
        approval = Approval(record["decision_id"], record["about"], *who, *what)
        if hmac.compare_digest(approval.identifier(commitments).encode(), identifier.encode()):
            return approval
    return None


def decision_of(identifier: str) -> str:
    """The decision id of the record that an identifier names."""
    return identifier[:_ID]
