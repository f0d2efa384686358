"""Files that the configuration names. A private one is refused when others can read it.

One of root's that a group may read is taken by a gateway that is not root: no other way leads from a secret of
Kubernetes or a credential of systemd to a user that is not root, and who may be in the group root alone has said.
"""

from __future__ import annotations

import os
import re
import ssl
import stat
from pathlib import Path
from typing import Final

from gateway import regular_files
from gateway.errors import StartError

_OF_OTHERS: Final = 0o077
_OF_ROOT: Final = 0o037
"""The bits that a private file must not have, and that one of root's must not."""


def read_private(path: Path, key: str) -> bytes:
    """The bytes of a private key or secret file. Raises StartError when it is missing or others can read it.

    key: the configuration key that named it, for the message.
    """
    try:
        with regular_files.opened(path) as file:
            found = os.fstat(file.fileno())
            mode = stat.S_IMODE(found.st_mode)
            if mode & (_OF_ROOT if found.st_uid == 0 != os.geteuid() else _OF_OTHERS):
                raise StartError(
                    f"{key}: {path} can be read by others (mode {mode:04o})\n"
                    f"a private key must be 0600; run: chmod 600 {path}"
                )
            return regular_files.bounded(file)
    except OSError as error:
        raise StartError(f"{key}: {path}: cannot be read: {error.strerror}") from error


def read_secret(path: Path, key: str) -> str:
    """The one word in a secret file, such as an API key. Raises StartError, without a part of it."""
    word = read_private(path, key).strip()
    if not re.fullmatch(rb"[!-~]+", word):
        raise StartError(f"{key}: {path} must hold one key of printable ASCII and nothing else")
    return word.decode("ascii")


def read_public(path: Path, key: str) -> bytes:
    """The bytes of a file that is no secret. Raises StartError when it can't be read."""
    try:
        return regular_files.read(path)
    except OSError as error:
        raise StartError(f"{key}: {path}: cannot be read: {error.strerror}") from error


def trust(context: ssl.SSLContext, path: Path, key: str) -> bytes:
    """Have the CAs of a PEM file believed. Returns what was read of it. Raises StartError."""
    pem = read_public(path, key)
    try:
        context.load_verify_locations(cadata=pem.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise StartError(f"{key}: {path} holds no PEM certificates") from error
    return pem


def believing(ca: Path | None, key: str) -> ssl.SSLContext:
    """A client's side that believes the CAs of a PEM file, or the system's where none is named. Raises StartError."""
    if ca is not None:
        read_public(ca, key)
    try:
        return ssl.create_default_context(cafile=ca)
    except ssl.SSLError as error:
        raise StartError(f"{key}: {ca} holds no PEM certificates") from error


def show(context: ssl.SSLContext, certificate: Path, private: Path, keys: str) -> None:
    """Have a certificate shown to the other side. Raises StartError. keys: two of the configuration, "a, b"."""
    first, second = keys.split(", ")
    read_public(certificate, first)
    read_private(private, second)
    try:
        context.load_cert_chain(certificate, private, password="")
    except (OSError, ValueError) as error:
        raise StartError(
            f"{keys}: {certificate} and {private} are not a certificate in PEM and its unencrypted private key"
        ) from error
