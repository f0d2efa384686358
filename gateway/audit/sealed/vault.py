"""Wrapping keys in files: one for each period, of mode 0600, in a folder. A purge destroys the file."""

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
    """Where wrapping keys are. Every method raises OSError when it can't be used; a key that is gone is one such."""

    def create(self, period: Period) -> None:
        """Make the key durably, unless there is one."""

    def wrap(self, period: Period, data: bytes, bound: bytes) -> bytes:
        """Encrypt a data key, authenticated with what it is bound to."""

    def unwrap(self, period: Period, wrapped: bytes, bound: bytes) -> bytes:
        """The data key. Raises SealError."""

    def destroy(self, period: Period) -> None:
        """Destroy the key, if there is one. Nothing that it wrapped opens after that."""

    def close(self) -> None:
        """Let go of it."""


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
            # Crash before this: a file that nobody reads. Crash after it: a key that has wrapped nothing yet, and will.
            try:
                with contextlib.suppress(FileExistsError):  # another gateway was faster, and that key is the one
                    path.hardlink_to(temporary)
            finally:
                temporary.unlink()
        atomic_files.sync(self.folder)  # of who was here before, too: it may have ended before this line

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
        """See Vault. The file is overwritten before it is removed; what the disk and its backups keep is theirs."""
        path = self._path(period)
        if not path.exists():
            return
        with path.open("r+b") as file:
            file.write(b"\0" * path.stat().st_size)
            file.flush()
            os.fsync(file.fileno())
        # Crash before this: a file of zeros, which is no key; the next purge removes it.
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
