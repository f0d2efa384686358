"""Wrapping keys in a PKCS #11 token: AES-256 objects that never leave it. Needs the package python-pkcs11."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

from gateway.audit.sealed.envelope import Period, SealError
from gateway.audit.sealed.vault import GoneError
from gateway.config import Pkcs11, read_private
from gateway.errors import StartError

_NONCE = 12


class Token:
    """A logged-in token. For one call at a time: threads can't share a session."""

    def __init__(self, library: Any, session: Any) -> None:
        self._pkcs11, self._session = library, session
        self._alone = threading.Lock()

    @classmethod
    def open(cls, settings: Pkcs11) -> Token:
        """Log in. Raises StartError."""
        try:
            import pkcs11  # noqa: PLC0415 - optional
        except ImportError as error:
            raise StartError(
                "audit.sealed.pkcs11: needs the package python-pkcs11; install the extra: brightline-gateway[pkcs11]"
            ) from error
        try:
            pin = read_private(settings.pin, "audit.sealed.pkcs11.pin").decode("utf-8").strip()
        except UnicodeDecodeError:
            raise StartError(f"audit.sealed.pkcs11.pin: {settings.pin} is no text in UTF-8") from None
        try:
            token = pkcs11.lib(str(settings.module)).get_token(token_label=settings.token)
            return cls(pkcs11, token.open(rw=True, user_pin=pin))
        except (pkcs11.exceptions.PKCS11Error, OSError, RuntimeError) as error:
            what = str(error) or type(error).__name__
            raise StartError(f"audit.sealed.pkcs11: {settings.module}: token {settings.token}: {what}") from error

    def create(self, period: Period) -> None:
        """See Vault."""
        with self._alone, self._told():
            if self._find(period) is None:
                self._session.generate_key(
                    self._pkcs11.KeyType.AES,
                    256,
                    label=f"brightline {period}",
                    store=True,
                    template={
                        self._pkcs11.Attribute.SENSITIVE: True,
                        self._pkcs11.Attribute.EXTRACTABLE: False,
                        self._pkcs11.Attribute.TOKEN: True,
                    },
                )

    def wrap(self, period: Period, data: bytes, bound: bytes) -> bytes:
        """See Vault."""
        nonce = os.urandom(_NONCE)
        with self._alone, self._told():
            made = self._key(period).encrypt(data, mechanism=self._gcm, mechanism_param=self._with(nonce, bound))
        return nonce + bytes(made)

    def unwrap(self, period: Period, wrapped: bytes, bound: bytes) -> bytes:
        """See Vault."""
        nonce, rest = wrapped[:_NONCE], wrapped[_NONCE:]
        with self._alone, self._told():
            key = self._key(period)
            try:
                return bytes(key.decrypt(rest, mechanism=self._gcm, mechanism_param=self._with(nonce, bound)))
            except self._pkcs11.exceptions.PKCS11Error as error:
                raise SealError(f"the wrapping key of {period} is another") from error

    def destroy(self, period: Period) -> None:
        """See Vault."""
        with self._alone, self._told():
            found = self._find(period)
            if found is not None:
                found.destroy()

    def close(self) -> None:
        """See Vault. The library logs in per process, so this must be closed before the token is opened again."""
        with self._alone, self._told():
            self._session.close()

    @property
    def _gcm(self) -> Any:
        return self._pkcs11.Mechanism.AES_GCM

    def _with(self, nonce: bytes, bound: bytes) -> Any:
        return self._pkcs11.GCMParams(nonce=nonce, aad=bound, tag_bits=128)

    def _key(self, period: Period) -> Any:
        found = self._find(period)
        if found is None:
            raise GoneError(f"the wrapping key of {period} is gone")
        return found

    def _find(self, period: Period) -> Any:
        template = {
            self._pkcs11.Attribute.CLASS: self._pkcs11.ObjectClass.SECRET_KEY,
            self._pkcs11.Attribute.LABEL: f"brightline {period}",
        }
        return next(iter(list(self._session.get_objects(template))), None)

    def _told(self) -> _Told:
        return _Told(self._pkcs11.exceptions.PKCS11Error)


class _Told:
    """Converts the token's errors to OSError."""

    def __init__(self, wrong: type[Exception]) -> None:
        self._wrong = wrong

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: object) -> None:
        if isinstance(error, self._wrong):
            raise OSError(f"the token failed: {error or type(error).__name__}") from error


MODULES = (Path("/usr/lib/softhsm/libsofthsm2.so"), Path("/usr/lib64/pkcs11/libsofthsm2.so"))
"""The paths of SoftHSM, a software token for trying this out, in common distributions."""
