from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from brightline_verify.cosignature import Cosigner, Witness, signed_at
from brightline_verify.note import Checkpoint, NoteError, Signer, open_checkpoint

LOG = Signer("log.example/a", Ed25519PrivateKey.from_private_bytes(b"k" * 32))
COSIGNER = Cosigner("witness.example/w", Ed25519PrivateKey.from_private_bytes(b"w" * 32))
OTHER = Cosigner("witness.example/w", Ed25519PrivateKey.from_private_bytes(b"o" * 32))
CHECKPOINT = Checkpoint("log.example/a", 7, b"r" * 32)
NOTE = LOG.sign(CHECKPOINT.text())
TIME_S = 1_679_315_147


def test_a_cosignature_survives_signing_and_opening() -> None:
    """The time comes out, and the log's own signature still holds."""
    cosigned = COSIGNER.cosign(NOTE, TIME_S)
    assert COSIGNER.witness.signed_at(cosigned) == TIME_S
    assert open_checkpoint(cosigned, LOG.verifier) == CHECKPOINT
    assert cosigned.startswith(NOTE)


def test_the_message_is_that_of_the_specification() -> None:
    """What is signed is the header, the time and the text of the note, under a key id of type 4."""
    line = COSIGNER.cosign(NOTE, TIME_S).splitlines()[-1].decode()
    dash, name, encoded = line.split(" ")
    signature = base64.b64decode(encoded)
    assert (dash, name, signature[:4]) == ("—", "witness.example/w", COSIGNER.witness.key_id)
    assert int.from_bytes(signature[4:12]) == TIME_S
    message = b"cosignature/v1\ntime 1679315147\n" + CHECKPOINT.text().encode()
    Ed25519PublicKey.from_public_bytes(COSIGNER.witness.key).verify(signature[12:], message)


def test_a_witness_signs_again_in_the_place_of_its_line() -> None:
    """A newer cosignature of the same witness replaces the older; those of others stay."""
    other = Cosigner("witness.example/v", Ed25519PrivateKey.from_private_bytes(b"v" * 32))
    twice = COSIGNER.cosign(other.cosign(COSIGNER.cosign(NOTE, TIME_S), TIME_S), TIME_S + 1)
    assert COSIGNER.witness.signed_at(twice) == TIME_S + 1
    assert other.witness.signed_at(twice) == TIME_S
    assert len(twice.splitlines()) == len(NOTE.splitlines()) + 2


def test_who_did_not_sign_has_no_time() -> None:
    """A note without a witness's line, or with one of another key of the same name, is not signed by it."""
    assert COSIGNER.witness.signed_at(NOTE) is None
    assert COSIGNER.witness.signed_at(OTHER.cosign(NOTE, TIME_S)) is None


def test_a_witness_key_survives_printing_and_parsing() -> None:
    """The text form is one to one, and is no log's key."""
    assert Witness.parse(f"{COSIGNER.witness}\n") == COSIGNER.witness
    with pytest.raises(NoteError):
        Witness.parse(str(LOG.verifier))


def resigned(change: Callable[[bytes], bytes]) -> bytes:
    """The cosigned note with another signature in it."""
    head, _, encoded = COSIGNER.cosign(NOTE, TIME_S).rstrip(b"\n").rpartition(b" ")
    return head + b" " + base64.b64encode(change(base64.b64decode(encoded))) + b"\n"


@pytest.mark.parametrize(
    "note",
    [
        b"",
        resigned(lambda s: s[:4] + (TIME_S + 1).to_bytes(8) + s[12:]),
        resigned(lambda s: s[:-1] + bytes([s[-1] ^ 1])),
        resigned(lambda s: s[:-1]),
        resigned(lambda s: s + b"x"),
        COSIGNER.cosign(NOTE, TIME_S) + COSIGNER.cosign(NOTE, TIME_S + 1).splitlines(keepends=True)[-1],
        COSIGNER.cosign(NOTE, TIME_S).replace(b"\n7\n", b"\n8\n"),
    ],
)
def test_a_cosignature_that_does_not_hold_is_an_error(note: bytes) -> None:
    """Another time, text or signature, or two, is refused."""
    with pytest.raises(NoteError):
        COSIGNER.witness.signed_at(note)


def test_a_witness_may_have_several_keys() -> None:
    """Whichever key of a witness signed, it signed, in whatever order the keys are given, and it counts once."""
    other = Cosigner(COSIGNER.witness.name, Ed25519PrivateKey.from_private_bytes(b"2" * 32))
    unasked = Cosigner(COSIGNER.witness.name, Ed25519PrivateKey.from_private_bytes(b"3" * 32))
    both = [COSIGNER.witness, other.witness]
    for keys in (both, both[::-1]):
        assert signed_at(COSIGNER.cosign(NOTE, TIME_S), keys) == {COSIGNER.witness.name: TIME_S}
        twice = other.cosign(COSIGNER.cosign(NOTE, TIME_S), TIME_S + 1)
        assert signed_at(twice, keys) == {COSIGNER.witness.name: TIME_S}
        assert signed_at(unasked.cosign(NOTE, TIME_S), keys) == {}
