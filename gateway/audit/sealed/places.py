"""Locates the keys of sealed content, according to the configuration."""

from __future__ import annotations

import base64
import getpass
import re
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from gateway import atomic_files
from gateway.audit.keys import public_path
from gateway.audit.sealed.vault import Files, Vault
from gateway.config import Sealed, read_private, read_public
from gateway.errors import StartError

_PUBLIC = re.compile(r"brightline-reviewer ([a-z0-9][a-z0-9._-]{0,63}) ([A-Za-z0-9+/]{43}=)\n?")
_FOLDER_MODE = 0o077


def vault(settings: Sealed) -> Vault:
    """The vault of wrapping keys. Raises StartError if its folder is missing or accessible to others."""
    if settings.pkcs11 is not None:
        from gateway.audit.sealed.token import Token  # noqa: PLC0415 - an optional package

        return Token.open(settings.pkcs11)
    folder = settings.keys
    if folder is None or not folder.is_dir():
        raise StartError(f"audit.sealed.keys: {folder}: is no folder; make one: install -d -m 0700 {folder}")
    mode = folder.stat().st_mode & 0o777
    if mode & _FOLDER_MODE:
        raise StartError(
            f"audit.sealed.keys: {folder}: others may look into it (mode {mode:04o}); run: chmod 700 {folder}"
        )
    return Files(folder)


def reviewers(settings: Sealed) -> dict[str, X25519PublicKey]:
    """The public keys of the reviewers, by name. Raises StartError unless there are at least two different keys."""
    found: dict[str, X25519PublicKey] = {}
    for path in settings.reviewers:
        name, key = _public(path)
        if name in found or key in found.values():
            raise StartError(f"audit.sealed.reviewers: {path}: {name} or this key is there twice")
        found[name] = key
    return found


def create_reviewer_key(path: Path, name: str, passphrase: bytes) -> None:
    """Make a reviewer's key, and `<path>.pub`. The key is encrypted unless the passphrase is empty.

    Raises StartError.
    """
    key = X25519PrivateKey.generate()
    line = f"brightline-reviewer {name} {base64.b64encode(key.public_key().public_bytes_raw()).decode()}\n"
    if not _PUBLIC.fullmatch(line):
        raise StartError(f"{name}: a reviewer's name has small letters, digits, dots, dashes and underscores")
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    try:
        atomic_files.create((path, pem, 0o600), (public_path(path), line.encode(), 0o644))
    except OSError as error:
        raise StartError(f"{error.filename}: cannot be created: {error.strerror}") from error


def load_reviewer(path: Path) -> tuple[str, X25519PrivateKey]:
    """A reviewer's name and private key. Prompts for the passphrase if there is one. Raises StartError."""
    name, public = _public(public_path(path))
    text = read_private(path, "--reviewer")
    try:
        password = getpass.getpass(f"passphrase of {name}: ").encode() if b"ENCRYPTED" in text else None
        key = serialization.load_pem_private_key(text, password)
    except (ValueError, TypeError) as error:
        raise StartError(f"--reviewer: {path}: is no private key, or its passphrase is another") from error
    if not isinstance(key, X25519PrivateKey) or key.public_key() != public:
        raise StartError(f"--reviewer: {path}: is not the private half of {public_path(path)}")
    return name, key


def _public(path: Path) -> tuple[str, X25519PublicKey]:
    text = read_public(path, "audit.sealed.reviewers").decode("utf-8", "replace")
    found = _PUBLIC.fullmatch(text)
    if not found:
        raise StartError(
            f"audit.sealed.reviewers: {path}: is no reviewer's public key; make one: brightline audit keygen"
        )
    return found[1], X25519PublicKey.from_public_bytes(base64.b64decode(found[2]))
