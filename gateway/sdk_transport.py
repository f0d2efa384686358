"""What an SDK is opened with: its calls go over a line of ours (`gateway.egress`), whatever its own transport would do.

The SDK never holds the key, and what it gets and gives is JSON: its typed models cost more than the rest of the call,
and take anything for an answer.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import httpx2

from gateway.egress import WHOLE, Body, Egress, Service

ASKED: Final = {"accept": WHOLE}
PLACEHOLDER: Final = "added-by-the-channel"
"""What an SDK gets for a key."""

_PASSED = ("content-type", "anthropic-version")


@dataclass(frozen=True, slots=True)
class SdkTransport:
    """What an SDK is opened with."""

    base_url: str
    http: httpx2.AsyncClient


def open_channel(settings: Service, section: str, answer_bytes: int) -> SdkTransport:
    """A channel to the service for whole answers in JSON. Raises StartError, which names the section."""
    # Their loggers print prompts when an environment variable says so; the gateway logs by itself. Not by a level: an
    # SDK sets its own when it is imported, which is after this.
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
        yield await self._body.whole()

    async def aclose(self) -> None:
        self._body.close()
