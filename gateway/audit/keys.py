"""The log's keys: one signs checkpoints, the other makes content commitments.

Content never enters the log, not even as a plain hash: somebody who guesses a prompt could confirm the guess. A
commitment is an HMAC under a key that the operator can destroy and that verification by an auditor does not need.
"""

from __future__ import annotations

import hmac
import re
import secrets
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from brightline_verify.cosignature import Cosigner, Witness
from brightline_verify.note import NoteError, Signer, Verifier
from gateway import atomic_files
from gateway.config import read_private, read_public
from gateway.errors import StartError

PROMPT = b"brightline.v1.prompt"
OUTPUT = b"brightline.v1.output"
PAGES = b"brightline.v1.pages"
_IDENTIFIER = b"brightline.v1.key"


class Commitments:
    """Makes keyed commitments: HMAC-SHA256(key, label || 0x00 || decision id || 0x00 || content).

    The label keeps prompts and outputs apart. The decision id keeps equal contents of different calls unlinkable.
    """

    def __init__(self, key: bytes) -> None:
        # A copy of this state costs half of what a new HMAC does.
        self._keyed = hmac.new(key, digestmod="sha256")
        self.key_id = hmac.digest(key, _IDENTIFIER, "sha256").hex()[:16]

    def derived(self, label: bytes) -> bytes:
        """A key for another use. This key can't be computed from it."""
        keyed = self._keyed.copy()
        keyed.update(label)
        return keyed.digest()

    def begin(self, label: bytes, decision_id: str) -> hmac.HMAC:
        """Begin a commitment to content that comes in pieces. The hexdigest of the result is the commitment."""
        commitment = self._keyed.copy()
        commitment.update(label + b"\x00" + decision_id.encode() + b"\x00")
        return commitment

    def of(self, label: bytes, decision_id: str, content: bytes) -> str:
        """The commitment to `content`, as 64 hexadecimal digits."""
        commitment = self.begin(label, decision_id)
        commitment.update(content)
        return commitment.hexdigest()


def create_signing_key(path: Path, origin: str) -> None:
    """Create the key (PEM, PKCS #8, mode 0600), and `<path>.pub` for verifiers. Raises StartError."""
    _create(*_signing(path, origin))


def create_log_keys(signing_key: Path, origin: str, commitment_key: Path) -> None:
    """Create both keys of a log, and the public half of the signing key: all or none. Raises StartError."""
    _create(*_signing(signing_key, origin), _commitment(commitment_key))


def create_witness_key(path: Path, name: str) -> None:
    """Create a witness's key, and `<path>.pub` for those who require its signatures. Raises StartError."""
    key = Ed25519PrivateKey.generate()
    try:
        cosigner = Cosigner(name, key)
    except NoteError as error:
        raise StartError(f"{name}: {error}") from error
    _create((path, _pem(key), 0o600), (public_path(path), f"{cosigner.witness}\n".encode(), 0o644))


def load_cosigner(path: Path) -> Cosigner:
    """The witness of a key. Its name is in `<path>.pub`. Raises StartError as load_signer does."""
    public = public_path(path)
    try:
        witness = Witness.parse(read_public(public, "--key").decode("utf-8"))
        cosigner = Cosigner(witness.name, _load(path, "--key"))
    except (NoteError, UnicodeDecodeError) as error:
        raise StartError(f"--key: {public}: {error}") from error
    if cosigner.witness != witness:
        raise StartError(f"--key: {public}: is not the public half of {path}")
    return cosigner


def load_verifier(path: Path, key: str) -> Verifier:
    """A log's public key from a file. key: the configuration key or option that names the file. Raises StartError."""
    try:
        return Verifier.parse(read_public(path, key).decode("utf-8"))
    except (NoteError, UnicodeDecodeError) as error:
        raise StartError(f"{key}: {path}: is no public key of a log; give the .pub file beside its key") from error


def load_signer(path: Path, origin: str) -> Signer:
    """The signer of the log `origin`. Raises StartError if the file is missing, readable by others, or not a key."""
    return _signer(origin, _load(path, "audit.signing_key"))


def create_commitment_key(path: Path) -> None:
    """Create the key: 32 random bytes in hexadecimal, mode 0600. Raises StartError."""
    _create(_commitment(path))


def load_commitments(path: Path) -> Commitments:
    """The commitments under the key in the file. Raises StartError as load_signer does."""
    text = read_private(path, "audit.commitment_key")
    if not re.fullmatch(rb"[0-9a-f]{64}\n?", text):
        raise StartError(f"audit.commitment_key: {path}: is not 64 hexadecimal digits")
    return Commitments(bytes.fromhex(text.decode("ascii")))


def public_path(signing_key: Path) -> Path:
    """The path of a signing key's verifier key."""
    return signing_key.with_name(signing_key.name + ".pub")


def _pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _load(path: Path, key: str) -> Ed25519PrivateKey:
    """A private key from a file. key: the configuration key or option that names the file."""
    try:
        loaded = serialization.load_pem_private_key(read_private(path, key), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise StartError(f"{key}: {path}: is not an unencrypted private key in PEM") from error
    if not isinstance(loaded, Ed25519PrivateKey):
        raise StartError(f"{key}: {path}: is not an Ed25519 key")
    return loaded


def _signer(origin: str, key: Ed25519PrivateKey) -> Signer:
    try:
        return Signer(origin, key)
    except NoteError as error:
        raise StartError(f"audit.origin: {error}") from error


_File = tuple[Path, bytes, int]


def _signing(path: Path, origin: str) -> tuple[_File, _File]:
    key = Ed25519PrivateKey.generate()
    signer = _signer(origin, key)
    return (path, _pem(key), 0o600), (public_path(path), f"{signer.verifier}\n".encode(), 0o644)


def _commitment(path: Path) -> _File:
    return path, secrets.token_hex(32).encode() + b"\n", 0o600


def _create(*files: _File) -> None:
    """Create files, all or none. An existing key is never overwritten."""
    try:
        atomic_files.create(*files)
    except OSError as error:
        raise StartError(f"{error.filename}: cannot be created: {error.strerror}") from error
