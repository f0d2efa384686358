"""An approval can't be made up, nor moved to another request."""

from __future__ import annotations

from dataclasses import fields, replace

from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.approval import Approval, asked, found, held
from gateway.audit.keys import Commitments
from gateway.types import Message, Prompt, Text
from tests.support import logs

KEY = Commitments(b"k" * 32)
GIVEN = Approval("0" * 32, "1" * 32, "t", "https://issuer", "bob", "colonel", "ab" * 32, 5, "read")
PROMPT = Prompt("m", "", (Message("user", (Text("question"),)),), (), 10, None, {})


def record(approval: Approval) -> dict[str, object]:
    """As the log has it."""
    return {
        "kind": "approval",
        "outcome": "completed",
        "decision_id": approval.id,
        "principal": {"tenant": approval.tenant, "subject": approval.approver},
        "about": approval.about,
        "approval": {name: getattr(approval, name) for name in ("subject", "digest", "until_us", "why")},
    }


@given(st.sampled_from([f.name for f in fields(Approval)]), st.text(max_size=8), st.integers(0, 2**53 - 1))
def test_every_word_of_an_approval_counts(name: str, text: str, number: int) -> None:
    """A record of which one field was changed has no identifier that was given out before."""
    changed = replace(GIVEN, **{name: number if name == "until_us" else text})  # type: ignore[arg-type]  # by its type
    expected = GIVEN if changed == GIVEN else None
    assert found(GIVEN.identifier(KEY), [record(changed)], changed.issuer, KEY) == expected
    assert found(GIVEN.identifier(Commitments(b"o" * 32)), [record(GIVEN)], GIVEN.issuer, KEY) is None


@given(st.text(max_size=8), st.text(max_size=8))
def test_what_is_asked_counts(question: str, purpose: str) -> None:
    """Two requests have one digest only with the same content and declaration, whatever approval they name."""
    other = replace(PROMPT, messages=(Message("user", (Text(question),)),))
    same = (question, purpose) == ("question", "p")
    first = asked(KEY, "1" * 32, PROMPT, {"purpose": "p", "approval": None})
    second = asked(KEY, "1" * 32, other, {"purpose": purpose, "approval": {"id": "x"}})
    assert (first == second) is same
    assert asked(KEY, "2" * 32, PROMPT, {"purpose": "p", "approval": None}) != first


def test_a_record_that_left_its_input_out_tells_no_digest() -> None:
    """Nor does one under another commitment key: such a request can't be approved, and is still listed."""
    refusal = logs.record(logs.Kind.REFUSAL, 1, reason="APPROVAL_REQUIRED")
    commitments = {**dict(refusal["commitments"]), "key": KEY.key_id}  # type: ignore[call-overload]  # an object
    asked_for = {"input": {"request": {"purpose": "p", "model": "m"}}, "commitments": commitments}
    whole = held({**refusal, **asked_for}, KEY)
    assert whole is not None
    assert whole.digest
    for lacking in ({"input": None}, {"commitments": {**commitments, "key": "0" * 16}}):
        cut = held({**refusal, **asked_for, **lacking}, KEY)
        assert cut is not None
        assert (cut.digest, cut.subject) == ("", whole.subject)
