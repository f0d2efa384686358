"""A desk where callers authenticate: a real Identity over real files, with a clock that tests set."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Identity as Settings
from gateway.config import Issuer
from gateway.errors import GatewayError, Reason
from gateway.identity import Identity
from gateway.identity.issue import Pair
from gateway.types import Credentials, Principal, Tenant
from tests.support.pki import OTHER_SPIFFE_ID, SPIFFE_ID, Authority
from tests.support.tokens import AUDIENCE, ISSUER, TokenIssuer

NOW_US = 1_800_000_000_000_000


@dataclass
class Desk:
    """Opened with the files in `folder`. settings: changes to the configuration. others: further client CAs."""

    folder: Path
    now_us: int = NOW_US
    settings: dict[str, Any] = field(default_factory=dict)
    tenants: dict[str, Tenant] = field(
        default_factory=lambda: {
            "agency": Tenant("agency", (SPIFFE_ID,), {}),
            "other": Tenant("other", (OTHER_SPIFFE_ID,), {}),
        }
    )
    identity: Identity | None = None
    others: list[Authority] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._opening = asyncio.Lock()
        self.authority = Authority(self.now_us)
        self.issuer = TokenIssuer(now_us=self.now_us)
        self.client: Pair = self.authority.client()
        self.write("jwks.json", self.issuer.jwks())

    @property
    def pem(self) -> bytes:
        return self.client.certificate

    def write(self, name: str, data: bytes) -> Path:
        """Replace a file the way an operator should: by renaming a new one over it."""
        path, fresh = self.folder / name, self.folder / f"{name}.new"
        fresh.write_bytes(data)
        os.replace(fresh, path)  # noqa: PTH105 - named as the documentation names it
        return path

    async def open(self, **settings: Any) -> None:
        await self.close()
        self.settings |= settings
        given = {
            "audience": AUDIENCE,
            "issuers": (Issuer(issuer=ISSUER, jwks_file=self.folder / "jwks.json"),),
            "ledger": self.folder / "ledger",
            **self.settings,
        }
        client_ca = self.write("client_ca.pem", b"".join(a.ca.certificate for a in (self.authority, *self.others)))
        self.identity = await Identity.open(Settings(**given), lambda: self.now_us, client_ca)

    async def close(self) -> None:
        if self.identity is not None:
            await self.identity.close()
            self.identity = None

    async def restart(self, **settings: Any) -> None:
        await self.close()
        await self.open(**settings)

    async def prove(self, token: str, certificate: bytes | None = None) -> Principal:
        return await self.present((certificate or self.pem,), (f"Bearer {token}",))

    async def present(self, certificates: tuple[bytes, ...], authorizations: tuple[str, ...]) -> Principal:
        async with self._opening:
            if self.identity is None:
                await self.open()
        assert self.identity is not None
        return await self.identity.prove(Credentials(certificates, authorizations, "127.0.0.1:1"), self.tenants)


async def reason_of(attempt: Awaitable[object]) -> Reason:
    """Why the attempt was refused. Fails the test if it was not."""
    with pytest.raises(GatewayError) as refused:
        await attempt
    return refused.value.reason
