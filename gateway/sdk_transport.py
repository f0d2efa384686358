"""Opens SDKs on the gateway's own HTTP client (`gateway.egress`), in place of their transports.

The SDK never holds the key. It exchanges plain JSON: its typed models cost more than the rest of the call and accept
anything as an answer.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import httpx2

from gateway.egress import WHOLE, Body, Egress, Service, failed

ASKED: Final = {"accept": WHOLE}
PLACEHOLDER: Final = "added-by-the-channel"
"""The SDK gets this in place of the API key."""

_PASSED = ("content-type", "anthropic-version")


@dataclass(frozen=True, slots=True)
class SdkTransport:
    """The arguments to open an SDK with."""

    base_url: str
    http: httpx2.AsyncClient


def open_channel(settings: Service, section: str, answer_bytes: int) -> SdkTransport:
    """A transport to the service for whole answers in JSON. Raises StartError that names the section."""
    # The SDKs' loggers print prompts if an environment variable says so, and the gateway does its own logging. A level
    # would not silence them: an SDK sets its own when it is imported, which is later.
    for name in ("anthropic", "openai", "httpx2"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [logging.NullHandler()], False
    egress = Egress(settings, section, None, answer_bytes)
    http = httpx2.AsyncClient(transport=_Transport(egress), trust_env=False, follow_redirects=False, timeout=None)
    return SdkTransport(egress.base_url, http)


class _Transport(httpx2.AsyncBaseTransport):
    def __init__(self, egress: Egress) -> None:
        self._egress = egress

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        headers = {name: request.headers[name] for name in _PASSED if name in request.headers}
        body = await self._egress.post(str(request.url), request.content, WHOLE, headers)
        return httpx2.Response(200, headers={"content-type": WHOLE}, stream=_Stream(body))

    async def aclose(self) -> None:
        await self._egress.close()


class _Stream(httpx2.AsyncByteStream):
    def __init__(self, body: Body) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        body = await self._body.whole()
        json.loads(body, object_pairs_hook=_once)  # an SDK would take the last of two
        yield body

    async def aclose(self) -> None:
        self._body.close()


def _once(members: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(members)
    if len(value) != len(members):
        raise failed("a name occurs twice")
    return value
