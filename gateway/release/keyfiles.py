"""Signing keys of the holders: encrypted files, or a PKCS#11 device through securesystemslib.

A key is two files. NAME.key is the private key in PEM, encrypted and readable by its owner alone. NAME.pub names the
holder, and is given to the other holder over a separate, trusted channel.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from securesystemslib.exceptions import Error, UnsupportedLibraryError
from securesystemslib.signer import CryptoSigner, HSMSigner, Signer, SSlibKey
from tuf.api.metadata import Key

from gateway import atomic_files
from gateway.errors import StartError
from gateway.release import holders
from gateway.release.parts import AGENCY, HOLDERS

NAMES: Final = {"root": (), "release": (), "online": (AGENCY,)}
"""The keys of a holder by name, and the holders that have one; empty means every holder. root signs only root, release
signs releases, and online signs snapshot and timestamp."""

_PKCS11: Final = "PKCS#11 needs the package python-pkcs11, and PYKCS11LIB to name the device's library"

Passphrase = Callable[[], str]


def create(folder: Path, holder: str, name: str, passphrase: str) -> Key:
    """Create a key and its two files. An empty passphrase leaves the key unencrypted. Raises StartError."""
    if holder not in HOLDERS:
        raise StartError(f"{holder}: is no holder; a key belongs to one of {', '.join(HOLDERS)}")
    private = Ed25519PrivateKey.generate()
    protection = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)
    key, path = _held(SSlibKey.from_crypto(private.public_key()), holder), folder / f"{name}.key"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        atomic_files.create((path, pem, 0o600))
        try:
            # A crash here leaves the file of a key that nobody was told of: remove it and create another key.
            _write_public(folder, name, key)
        except BaseException:
            path.unlink()
            raise
    except FileExistsError as error:
        raise StartError(
            f"{error.filename}: exists, and no key is replaced; if a run that broke off made it, remove it"
        ) from error
    except OSError as error:
        raise StartError(f"{error.filename or folder}: cannot be written: {error.strerror}") from error
    return key


def from_device(folder: Path, holder: str, name: str, uri: str, passphrase: Passphrase) -> Key:
    """Write NAME.pub for a key in a device: hsm:NUMBER?label=TOKEN. Raises StartError."""
    asked = urlsplit(uri)
    label = dict(parse_qsl(asked.query)).get("label")
    try:
        _, key = HSMSigner.import_(int(asked.path or HSMSigner.SCHEME_KEYID), label, lambda _: passphrase())
    except UnsupportedLibraryError as error:
        raise StartError(f"{uri}: {_PKCS11}") from error
    except (Error, ValueError) as error:
        raise StartError(f"{uri}: {error}") from error
    _write_public(folder, name, _held(key, holder))
    return key


def public(path: Path) -> Key:
    """The public key in the file. Raises StartError."""
    try:
        value: dict[str, Any] = json.loads(path.read_bytes())
        key = Key.from_dict(value.pop("keyid"), value)
    except OSError as error:
        raise StartError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StartError(f"{path}: is no public key that `brightline release keygen` wrote") from error
    if holders.of(key) not in HOLDERS:
        raise StartError(f"{path}: does not say whose key it is; it belongs to one of {', '.join(HOLDERS)}")
    return key


def signer(key: str, passphrase: Passphrase, of: Path | None = None) -> Signer:
    """A signer for NAME.key, with NAME.pub beside it, or for a key in a device. Raises StartError.

    of: the public key of a key in a device (hsm:…). passphrase: called only if one is needed.
    """
    if key.startswith("hsm:"):
        return _device(key, passphrase, of)
    path = Path(key)
    if not path.name:
        raise StartError(f"{path}: is no key; name the file NAME.key, or hsm:… for a key in a device")
    owner = public(of or path.with_suffix(".pub"))
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise StartError(f"{path}: can be read by others (mode {mode:04o}); run: chmod 600 {path}")
        pem = path.read_bytes()
    except OSError as error:
        raise StartError(f"{path}: cannot be read: {error.strerror}") from error
    secret = passphrase().encode() if b"ENCRYPTED" in pem else None
    try:
        private = load_pem_private_key(pem, secret)
        if not isinstance(private, Ed25519PrivateKey) or not isinstance(owner, SSlibKey):
            raise StartError(f"{path}: is no Ed25519 key")
    except (ValueError, TypeError) as error:
        raise StartError(f"{path}: can't be opened with this passphrase, or is no key") from error
    if SSlibKey.from_crypto(private.public_key()).keyval != owner.keyval:
        raise StartError(f"{path}: is not the private key of {path.with_suffix('.pub')}")
    return CryptoSigner(private, owner)


def _device(uri: str, passphrase: Passphrase, of: Path | None) -> Signer:
    if of is None:
        raise StartError("a key in a device needs its public key: --public FILE")
    try:
        return Signer.from_priv_key_uri(uri, public(of), lambda _: passphrase())
    except UnsupportedLibraryError as error:
        raise StartError(f"{uri}: {_PKCS11}") from error
    except (Error, ValueError) as error:
        raise StartError(f"{uri}: {error}") from error


def _write_public(folder: Path, name: str, key: Key) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        text = json.dumps({"keyid": key.keyid, **key.to_dict()}, indent=1) + "\n"
        atomic_files.replace(folder / f"{name}.pub", text.encode("ascii"))
    except OSError as error:
        raise StartError(f"{error.filename or folder}: cannot be written: {error.strerror}") from error


def _held(key: SSlibKey, holder: str) -> SSlibKey:
    key.unrecognized_fields[holders.HOLDER] = holder
    return key
