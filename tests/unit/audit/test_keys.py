from __future__ import annotations

import hashlib
import hmac
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from brightline_verify.note import Verifier
from gateway.audit import keys
from gateway.errors import StartError
from tests.support.logs import ORIGIN


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "log.key"
    keys.create_signing_key(path, ORIGIN)
    return path


def test_a_signing_key_is_private_and_its_verifier_key_is_beside_it(key: Path) -> None:
    """The private key is 0600, and what it signs verifies under the .pub file."""
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    verifier = Verifier.parse(keys.public_path(key).read_text())
    assert verifier.open(keys.load_signer(key, ORIGIN).sign("text\n")) == "text\n"


def test_a_key_is_never_overwritten(key: Path) -> None:
    """Creating a key where one is refuses and leaves the old one."""
    before = key.read_bytes()
    with pytest.raises(StartError, match="exists"):
        keys.create_signing_key(key, ORIGIN)
    assert key.read_bytes() == before


def test_a_key_that_others_can_read_is_refused(key: Path) -> None:
    """A world-readable signing key refuses the start and says what to do."""
    key.chmod(0o644)
    with pytest.raises(StartError, match="chmod 600"):
        keys.load_signer(key, ORIGIN)


def test_a_missing_key_is_refused(tmp_path: Path) -> None:
    """A missing key refuses the start, naming the configuration key and the file."""
    with pytest.raises(StartError, match=r"audit\.signing_key: .*missing\.key"):
        keys.load_signer(tmp_path / "missing.key", ORIGIN)
    with pytest.raises(StartError, match=r"audit\.commitment_key: .*missing\.key"):
        keys.load_commitments(tmp_path / "missing.key")


def test_only_unencrypted_ed25519_keys_in_pem_are_accepted(key: Path) -> None:
    """Garbage, an encrypted key and a key of another kind are told apart from a key."""
    pem = serialization.Encoding.PEM
    pkcs8 = serialization.PrivateFormat.PKCS8
    encrypted = serialization.BestAvailableEncryption(b"x")
    other = generate_private_key(SECP256R1())
    ours = serialization.load_pem_private_key(key.read_bytes(), None)
    for data, says in (
        (b"garbage", "not an unencrypted private key"),
        (ours.private_bytes(pem, pkcs8, encrypted), "not an unencrypted private key"),
        (other.private_bytes(pem, pkcs8, serialization.NoEncryption()), "not an Ed25519 key"),
    ):
        key.write_bytes(data)
        with pytest.raises(StartError, match=says):
            keys.load_signer(key, ORIGIN)


def test_an_origin_that_a_note_cannot_carry_is_refused(key: Path) -> None:
    """The origin is the name of the key, so it has neither spaces nor '+'."""
    with pytest.raises(StartError, match=r"audit\.origin"):
        keys.load_signer(key, "my log")


def test_a_commitment_is_an_hmac_with_label_and_decision(tmp_path: Path) -> None:
    """The commitment is HMAC-SHA256 over label, decision id and content, and is no plain hash of the content."""
    path = tmp_path / "commit.key"
    keys.create_commitment_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    secret = bytes.fromhex(path.read_text())
    commitments = keys.load_commitments(path)
    made = commitments.of(keys.PROMPT, "d1", b"content")
    assert made == hmac.digest(secret, b"brightline.v1.prompt\x00d1\x00content", "sha256").hex()
    assert made != hashlib.sha256(b"content").hexdigest()


def test_commitments_to_equal_content_differ_by_label_decision_and_key(tmp_path: Path) -> None:
    """Equal contents can't be linked across calls, kinds or keys; within one call they can."""
    one, other = keys.Commitments(b"1" * 32), keys.Commitments(b"2" * 32)
    made = {
        one.of(keys.PROMPT, "d1", b"x"),
        one.of(keys.OUTPUT, "d1", b"x"),
        one.of(keys.PROMPT, "d2", b"x"),
        other.of(keys.PROMPT, "d1", b"x"),
    }
    assert len(made) == 4
    assert one.of(keys.PROMPT, "d1", b"x") in made
    assert one.key_id != other.key_id


@pytest.mark.parametrize("text", [b"", b"00" * 31, b"00" * 33, b"zz" * 32, b"AB" * 32, b"00" * 32 + b"\n\n"])
def test_a_malformed_commitment_key_is_refused(tmp_path: Path, text: bytes) -> None:
    """A commitment key is 64 lower-case hexadecimal digits, nothing else."""
    path = tmp_path / "commit.key"
    path.write_bytes(text)
    path.chmod(0o600)
    with pytest.raises(StartError, match="64 hexadecimal digits"):
        keys.load_commitments(path)
