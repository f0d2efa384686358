"""A token issuer's JWKS endpoint: a real HTTPS server on the loopback interface that counts its requests."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

from aiohttp import web

from gateway.config import Issuer
from tests.support.pki import Authority
from tests.support.tokens import ISSUER


class JwksServer:
    """Keeps its files in `folder`. reached: set by the first request; gate: while clear, requests wait."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.port = port
        self.authority = Authority()
        self.ca = folder / "issuer-ca.pem"
        self.ca.write_bytes(self.authority.ca.certificate)
        self.asked = 0
        self.asked_elsewhere = 0
        self.body = b""
        self.status = 200
        self.headers: dict[str, str] = {}
        self.reached = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self._folder = folder

    async def start(self) -> None:
        server = self.authority.server()
        pair = self._folder / "issuer.pem"
        pair.write_bytes(server.certificate + server.key)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(pair)
        app = web.Application()
        app.router.add_get("/jwks", self._jwks)
        app.router.add_get("/elsewhere", self._elsewhere)
        self._runner = web.AppRunner(app, shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=tls)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"https://{host}:{port}/jwks"

    async def stop(self) -> None:
        self.gate.set()
        await self._runner.cleanup()

    def issuer(self, **changes: object) -> Issuer:
        return Issuer.model_validate({"issuer": ISSUER, "jwks_url": self.url, "ca": self.ca, **changes})

    async def _jwks(self, _: web.Request) -> web.Response:
        self.asked += 1
        self.reached.set()
        await self.gate.wait()
        return web.Response(body=self.body, status=self.status, headers=self.headers)

    async def _elsewhere(self, _: web.Request) -> web.Response:
        self.asked_elsewhere += 1
        return web.Response(body=self.body)
