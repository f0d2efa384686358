"""Reads files that the configuration names. A private file is refused if others can read it.

A gateway that does not run as root accepts a private file of root that its group may read. Secrets of Kubernetes and
credentials of systemd reach other users only in this way, and only root decides who is in the group.
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
"""Mode bits that a private file must not have. The second mask is for root's files, if the gateway is not root."""


def read_private(path: Path, key: str) -> bytes:
    """The bytes of a private key or secret file. Raises StartError if it is missing or others can read it.

    key: the configuration key that names the file, for the message.
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
    """The single word in a secret file, such as an API key. Raises StartError, which never quotes the secret."""
    word = read_private(path, key).strip()
    if not re.fullmatch(rb"[!-~]+", word):
        raise StartError(f"{key}: {path} must hold one key of printable ASCII and nothing else")
    return word.decode("ascii")


def read_public(path: Path, key: str) -> bytes:
    """The bytes of a file that is not secret. Raises StartError if it can't be read."""
    try:
        return regular_files.read(path)
    except OSError as error:
        raise StartError(f"{key}: {path}: cannot be read: {error.strerror}") from error


def trust(context: ssl.SSLContext, path: Path, key: str) -> bytes:
    """Trust the CAs of a PEM file. Returns the bytes of the file. Raises StartError."""
    pem = read_public(path, key)
    try:
        context.load_verify_locations(cadata=pem.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise StartError(f"{key}: {path} holds no PEM certificates") from error
    return pem


def believing(ca: Path | None, key: str) -> ssl.SSLContext:
    """A client context that trusts the CAs of a PEM file, or the system's if `ca` is None. Raises StartError."""
    if ca is not None:
        read_public(ca, key)
    try:
        return ssl.create_default_context(cafile=ca)
    except ssl.SSLError as error:
        raise StartError(f"{key}: {ca} holds no PEM certificates") from error


def show(context: ssl.SSLContext, certificate: Path, private: Path, keys: str) -> None:
    """Load the certificate to present to the peer. keys: both configuration keys, as "a, b". Raises StartError."""
    first, second = keys.split(", ")
    read_public(certificate, first)
    read_private(private, second)
    try:
        context.load_cert_chain(certificate, private, password="")
    except (OSError, ValueError) as error:
        raise StartError(
            f"{keys}: {certificate} and {private} are not a certificate in PEM and its unencrypted private key"
        ) from error
