"""Wrapping keys in files: one per period, of mode 0600, in a folder. A purge destroys the file."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway import atomic_files
from gateway.audit.sealed.envelope import Period, SealError
from gateway.config import read_private
from gateway.errors import StartError

_NONCE = 12


class Vault(Protocol):
    """Holds wrapping keys. Every method raises OSError if the vault can't be used or a key is gone."""

    def create(self, period: Period) -> None:
        """Make the key durably, unless it exists."""

    def wrap(self, period: Period, data: bytes, bound: bytes) -> bytes:
        """Encrypt a data key, and authenticate `bound` with it."""

    def unwrap(self, period: Period, wrapped: bytes, bound: bytes) -> bytes:
        """Decrypt a data key. Raises SealError."""

    def destroy(self, period: Period) -> None:
        """Destroy the key if it exists. Nothing that it wrapped can be opened afterwards."""

    def close(self) -> None:
        """Close the vault."""


class GoneError(OSError):
    """There is no wrapping key of this period."""


@dataclass(frozen=True, slots=True)
class Files:
    """Wrapping keys as files in a folder that only the gateway's user may read."""

    folder: Path

    def create(self, period: Period) -> None:
        """See Vault."""
        path = self._path(period)
        if not path.exists():
            temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
            with atomic_files.new(temporary, 0o600) as file:
                file.write(secrets.token_hex(32).encode() + b"\n")
            # Crash before this line: a file that nobody reads. Crash after it: a key that has not wrapped anything yet.
            try:
                with contextlib.suppress(FileExistsError):  # another gateway was faster, and its key is used
                    path.hardlink_to(temporary)
            finally:
                temporary.unlink()
        atomic_files.sync(self.folder)  # also if another process made the key: it may have ended before its sync

    def wrap(self, period: Period, data: bytes, bound: bytes) -> bytes:
        """See Vault."""
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(self._key(period)).encrypt(nonce, data, bound)

    def unwrap(self, period: Period, wrapped: bytes, bound: bytes) -> bytes:
        """See Vault."""
        try:
            return AESGCM(self._key(period)).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], bound)
        except (InvalidTag, ValueError) as error:
            raise SealError(f"the wrapping key of {period} is another") from error

    def destroy(self, period: Period) -> None:
        """See Vault. Overwrites the file before removing it. Copies that the disk or backups keep are out of reach."""
        path = self._path(period)
        if not path.exists():
            return
        with path.open("r+b") as file:
            file.write(b"\0" * path.stat().st_size)
            file.flush()
            os.fsync(file.fileno())
        # Crash before this line: a file of zeros, which is not a key. The next purge removes it.
        path.unlink()
        atomic_files.sync(self.folder)

    def close(self) -> None:
        """See Vault."""

    def _key(self, period: Period) -> bytes:
        path = self._path(period)
        if not path.exists():
            raise GoneError(f"the wrapping key of {period} is gone")
        try:
            text = read_private(path, "audit.sealed.keys")
        except StartError as error:
            raise OSError(str(error)) from error
        if not re.fullmatch(rb"[0-9a-f]{64}\n", text):
            raise GoneError(f"{path}: is no wrapping key")
        return bytes.fromhex(text.decode())

    def _path(self, period: Period) -> Path:
        names = (period.tenant, period.retention, period.month)
        return self.folder / ".".join([*(quote(name, safe="").replace(".", "%2E") for name in names), "key"])
