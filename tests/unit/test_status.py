"""Refusals on the wire: complete, bounded, and the same list everywhere."""

from __future__ import annotations

import pytest
from google.rpc import error_details_pb2, status_pb2

from brightline.v1 import refusal_pb2
from gateway import status
from gateway.errors import GatewayError, Reason, Rule, Source

RULE = Rule("no_x", "No X", "red_line", "Ask for Y.", (Source("Statute 1", "first_hand"),), "deny")


def unpacked(error: GatewayError) -> tuple[status_pb2.Status, error_details_pb2.ErrorInfo, refusal_pb2.Refusal]:
    """The parts of the public form of an error."""
    whole = status_pb2.Status.FromString(status.details(error, "d1", "r1", "appeals@agency.test"))
    info, refusal = error_details_pb2.ErrorInfo(), refusal_pb2.Refusal()
    assert whole.details[0].Unpack(info)
    assert whole.details[1].Unpack(refusal)
    return whole, info, refusal


def test_the_reasons_of_the_contract_and_of_the_gateway_are_the_same() -> None:
    """Every Reason is in the proto enum and back, and each has exactly one status."""
    names = {name.removeprefix("REASON_") for name in refusal_pb2.Reason.keys()} - {"UNSPECIFIED"}  # noqa: SIM118
    assert names == {str(reason) for reason in Reason} == {str(reason) for reason in status.CODES}


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_whole_public_form(reason: Reason) -> None:
    """Status, ErrorInfo and Refusal agree on the reason and carry id, release and appeal."""
    whole, info, refusal = unpacked(GatewayError(reason, "Because.", field="a.b", rules=(RULE,), detail="inner"))
    assert whole.code == status.CODES[reason].value[0]
    assert whole.message == "Because."
    assert (info.reason, info.domain, dict(info.metadata)) == (reason, "brightline", {"decision_id": "d1"})
    assert refusal_pb2.Reason.Name(refusal.reason) == f"REASON_{reason}"
    assert (refusal.decision_id, refusal.release, refusal.appeal, refusal.field) == (
        "d1",
        "r1",
        "appeals@agency.test",
        "a.b",
    )
    assert refusal.retry_safe
    assert refusal.rules[0].sources[0].read == "first_hand"


def test_details_of_the_gateway_stay_inside() -> None:
    """The text meant for the log is nowhere in what the caller gets."""
    error = GatewayError(Reason.INTERNAL, "A fault.", detail="secret-canary", sent=True)
    assert b"secret-canary" not in status.details(error, "d1", "r1", "")
    assert not unpacked(error)[2].retry_safe


def test_many_rules_fit_into_the_metadata_that_clients_accept() -> None:
    """A hundred rules are cut to what clients accept, the strictest kept, and the rest counted."""
    rules = tuple(Rule(f"rule_{i}", "T" * 100, "law", "R" * 200, (), "deny") for i in range(100))
    _, _, refusal = unpacked(GatewayError(Reason.POLICY_DENIED, "No.", rules=rules))
    assert 0 < len(refusal.rules) < 100
    assert len(refusal.rules) + refusal.rules_omitted == 100
    assert refusal.rules[0].id == "rule_0"
    assert len(status.details(GatewayError(Reason.POLICY_DENIED, "No.", rules=rules), "d", "r", "")) < 8192
