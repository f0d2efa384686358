"""The engine outside the gateway: an Open Policy Agent server that serves the same release.

The client library speaks OPA's data API. This module adds what the library leaves open: no retries, no redirects, a
deadline, and an answer that is bounded and strictly JSON. If anybody pushes another policy to the server, its answers
have another revision, and the calls are refused.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version
from typing import Any, Literal
from urllib.parse import urlsplit

import aiohttp
from opa_client.opa_async import AsyncOpaClient  # type: ignore[import-untyped]  # the package has no types

from gateway.canonical import Json, NotCanonicalError
from gateway.canonical import parse as parse_json
from gateway.config import Policy, is_loopback, read_secret, show, trust
from gateway.connection_pool import Connector
from gateway.errors import StartError
from gateway.pdp.decision import parse, unavailable
from gateway.pdp.engine import MAX_DECISION_BYTES, PACKAGE, RULE, Engine, encode
from gateway.types import Decision, Release


async def open_opa(release: Release, config: Policy) -> Engine:
    """A client of the server at policy.opa_url. Sends nothing yet: if the server is down, calls fail, not the start.

    Raises StartError if the URL can't be used, or if somebody on the network could answer in the server's place: https
    is verified against policy.opa_ca or the system's CAs, and http is only for this machine.
    """
    try:
        url = urlsplit(config.opa_url)
        host, port = url.hostname, url.port
    except ValueError as error:
        raise StartError(f"policy.opa_url: {error}; name it as http://127.0.0.1:8181") from error
    if not host or url.username is not None or url.query or url.fragment:
        raise StartError("policy.opa_url: takes scheme, host and port alone, as in http://127.0.0.1:8181")
    if url.scheme == "http" and not is_loopback(host):
        raise StartError("policy.opa_url: use https; http is for loopback addresses such as http://127.0.0.1:8181 only")
    headers = {"Accept-Encoding": "identity"}  # small answers from nearby: compression costs more than it saves
    if config.opa_token is not None:
        headers["Authorization"] = f"Bearer {read_secret(config.opa_token, 'policy.opa_token')}"
    client = _Client(
        _tls(config) if url.scheme == "https" else False,
        host=f"[{host}]" if ":" in host else host,
        port=port or (443 if url.scheme == "https" else 80),
        ssl=url.scheme == "https",
        headers=headers,
        retries=0,  # a late decision is a refusal; asking again would only make it later
        timeout=config.deadline_ms / 1000,
    )
    await client.__aenter__()
    return _Opa(release, config, client)


def _tls(config: Policy) -> ssl.SSLContext:
    """The TLS context: which server certificates to trust, and which client certificate to show. Raises StartError."""
    context = ssl.create_default_context() if config.opa_ca is None else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if config.opa_ca is not None:
        trust(context, config.opa_ca, "policy.opa_ca")
    if config.opa_certificate is not None and config.opa_key is not None:
        show(context, config.opa_certificate, config.opa_key, "policy.opa_certificate, policy.opa_key")
    return context


class _Opa:
    """One server, with many connections that carry one request at a time each."""

    name = "opa"
    version = f"opa-python-client {version('opa-python-client')}"

    def __init__(self, release: Release, config: Policy, client: _Client) -> None:
        self._revision = release.revision
        self._deadline_ms = config.deadline_ms
        self._client = client
        self._closed = False

    async def decide(self, input: Mapping[str, Json]) -> Decision:  # noqa: A002 - policies call it input
        """See Engine."""
        started_ns = time.monotonic_ns()
        if self._closed:
            raise unavailable("the engine is closed")
        try:
            async with asyncio.timeout(self._deadline_ms / 1000):
                body: object = await self._client.query_rule(input, PACKAGE, RULE)
        except TimeoutError as error:
            raise unavailable("the server: no answer before the deadline") from error
        except (aiohttp.ClientError, NotCanonicalError, OSError) as error:
            raise unavailable(f"the server: {type(error).__name__}: {error}") from error
        if time.monotonic_ns() - started_ns > self._deadline_ms * 1_000_000:
            raise unavailable("the server: answered past the deadline")
        match body:
            case {"result": result, **rest} if not rest.keys() - {"decision_id"}:
                return parse(result, self._revision)
            case _:
                raise unavailable("the server: not one result: undefined, or not OPA's answer")

    async def close(self) -> None:
        """See Engine."""
        self._closed = True
        await self._client.close_connection()


class _Client(AsyncOpaClient):  # type: ignore[misc]  # the package has no types
    """The library's client with a session made here, because the library has no such settings.

    trust: verifies https; False without https.
    """

    def __init__(self, trust: ssl.SSLContext | Literal[False], **settings: Any) -> None:
        super().__init__(**settings)
        self._trust = trust

    async def _init_session(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=Connector(ssl=self._trust, limit=0),
            headers=self.headers,
            timeout=aiohttp.ClientTimeout(total=self.timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            json_serialize=lambda value: encode(value).decode(),
            response_class=_Answer,
        )

    def _request(self, method: str, url: str, **kwargs: Any) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        request: AbstractAsyncContextManager[aiohttp.ClientResponse] = super()._request(
            method, url, allow_redirects=False, **kwargs
        )
        return request


class _Answer(aiohttp.ClientResponse):
    """A response that is accepted only with status 200, bounded, and as strict JSON."""

    async def json(self, **_: object) -> Json:
        """The body. Raises aiohttp.ClientError or NotCanonicalError."""
        if self.status != 200 or self.content_type != "application/json":
            raise aiohttp.ClientPayloadError(f"status {self.status}, {self.content_type}")
        body = b""
        while chunk := await self.content.read(MAX_DECISION_BYTES + 1 - len(body)):
            body += chunk
            if len(body) > MAX_DECISION_BYTES:
                raise aiohttp.ClientPayloadError(f"more than {MAX_DECISION_BYTES} bytes")
        return parse_json(body)
