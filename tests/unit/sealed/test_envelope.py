from __future__ import annotations

import os
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.sealed.envelope import Label, Period, SealError, escrow, recover, seal, unseal

PERIOD = Period("agency", "standard", "2026-11")
LABEL = Label("ab" * 16, "prompt", PERIOD)
PRIVATE = X25519PrivateKey.generate()
KEY = AESGCM(AESGCM.generate_key(256))
REVIEWERS = {name: X25519PrivateKey.generate() for name in ("a", "b", "c")}
NAMES = st.text(max_size=20)


def wrap(data: bytes, bound: bytes) -> bytes:
    nonce = os.urandom(12)
    return nonce + KEY.encrypt(nonce, data, bound)


def unwrap(wrapped: bytes, bound: bytes) -> bytes:
    return KEY.decrypt(wrapped[:12], wrapped[12:], bound)


SEALED = seal(b"some content", LABEL, PRIVATE.public_key(), wrap)


@given(st.binary(max_size=5000), NAMES, NAMES)
def test_what_was_sealed_opens(content: bytes, tenant: str, what: str) -> None:
    """With its label and its keys, any content comes back, and nowhere in the envelope is it to be seen."""
    label = replace(LABEL, what=what, period=replace(PERIOD, tenant=tenant))
    sealed = seal(content, label, PRIVATE.public_key(), wrap)
    assert unseal(sealed, label, PRIVATE, unwrap) == content
    assert len(content) < 8 or content not in sealed.removeprefix(b"brightline sealed 1\n")


@given(st.data())
def test_a_changed_envelope_does_not_open(data: st.DataObject) -> None:
    """Whatever byte is changed, and wherever it is cut or longer, it does not open."""
    at = data.draw(st.integers(0, len(SEALED) - 1))
    flip = data.draw(st.integers(1, 255))
    for changed in (SEALED[:at], SEALED + b"x", SEALED[:at] + bytes([SEALED[at] ^ flip]) + SEALED[at + 1 :]):
        with pytest.raises(SealError):
            unseal(changed, LABEL, PRIVATE, unwrap)


@pytest.mark.parametrize(
    "label",
    [
        replace(LABEL, decision_id="cd" * 16),
        replace(LABEL, what="output"),
        replace(LABEL, period=replace(PERIOD, tenant="other")),
        replace(LABEL, period=replace(PERIOD, month="2026-12")),
        replace(LABEL, period=replace(PERIOD, retention="long")),
    ],
)
def test_nothing_opens_as_something_else(label: Label) -> None:
    """What was sealed for a decision, a tenant, a period, as prompt or output, opens as nothing else."""
    with pytest.raises(SealError):
        unseal(SEALED, label, PRIVATE, unwrap)


def test_each_key_is_needed() -> None:
    """With another private half, or another wrapping key, it does not open."""
    with pytest.raises(SealError):
        unseal(SEALED, LABEL, X25519PrivateKey.generate(), unwrap)
    with pytest.raises(SealError):
        unseal(SEALED, LABEL, PRIVATE, lambda _wrapped, _bound: AESGCM.generate_key(256))


@pytest.mark.parametrize("pair", [("a", "b"), ("b", "a"), ("a", "c"), ("c", "b")])
def test_any_two_reviewers_have_the_private_half(pair: tuple[str, str]) -> None:
    """Two different reviewers, in whatever order, get the private half."""
    pairs = escrow(PRIVATE, {name: key.public_key() for name, key in REVIEWERS.items()}, PERIOD)
    found = recover(pairs, [(name, REVIEWERS[name]) for name in pair], PERIOD)
    assert found.private_bytes_raw() == PRIVATE.private_bytes_raw()


def test_one_reviewer_has_nothing() -> None:
    """Neither one reviewer twice, nor one under two names, nor with a stranger, nor for another period."""
    pairs = escrow(PRIVATE, {name: key.public_key() for name, key in REVIEWERS.items()}, PERIOD)
    stranger = X25519PrivateKey.generate()
    for two, period in (
        ([("a", REVIEWERS["a"]), ("a", REVIEWERS["a"])], PERIOD),
        ([("a", REVIEWERS["a"]), ("b", REVIEWERS["a"])], PERIOD),
        ([("a", REVIEWERS["a"]), ("b", stranger)], PERIOD),
        ([("a", REVIEWERS["a"]), ("x", stranger)], PERIOD),
        ([("a", REVIEWERS["a"]), ("b", REVIEWERS["b"])], replace(PERIOD, month="2026-12")),
    ):
        with pytest.raises(SealError):
            recover(pairs, two, period)
