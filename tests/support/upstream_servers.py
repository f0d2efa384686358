"""Fake services on 127.0.0.1: Anthropic Messages, OpenAI chat completions and moderation, and external detectors.

A Script defines how the next calls are answered. Requests are counted, and their bodies and headers kept, so that a
test can compare what arrived with what was permitted. As a process, for benchmarks:

    python -m tests.support.upstream_servers openai 8000
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from gateway.types import Decision, Effect, Facts, Message, Model, Permitted, Prompt, Text, Tool

MODEL = "served-model-1"
SECRET = "sk-upstream-secret-4242"
INJECTION = f'invalid key {SECRET}\r\nX-Injected: 1\n{{"level":"info","event":"forged"}}'

ToolCall = tuple[str, str, str]
"""Id, name, and arguments as JSON text."""


def prompt(*messages: Message, **fields: Any) -> Prompt:
    """A small prompt; the keywords are fields of Prompt."""
    said = messages or (Message("user", (Text("canary-prompt-31337"),)),)
    tools = (Tool("lookup", "Looks something up.", '{"type":"object"}', "read_only", ()),)
    given: dict[str, Any] = {"system": "", "tools": tools, "max_tokens": 64, "temperature_milli": None, "use": {}}
    return Prompt(model="model-1", messages=said, **(given | fields))


def permit(asked: Prompt, upstream_model: str = MODEL) -> Permitted:
    """The prompt, permitted as the policy would."""
    model = Model("model-1", "", "service", upstream_model, {})
    return Decision(Effect.ALLOW, (), (), ()).permit(asked, Facts({}, model))


@dataclass
class Script:
    """How calls are answered: "answer" sends one made from the other fields; the other behaviours are faults.

    status        an error `status` whose text carries a secret and line breaks, and asks for a retry
    redirect      to another path of the same server
    silent        never a byte                         silent_body   headers, then nothing
    ping          signs of life and nothing else       endless       an answer that never ends
    endless_line  one event that never ends            error_event   an error in mid-stream
    endless_lines one of short lines
    hang_up       the connection is reset before a byte of an answer
    cut           the connection is reset in mid-answer
    cut_clean     the answer ends early, but well as far as HTTP goes
    garbage       not even text                        not_json      the right media type, not JSON
    wrong_shape   JSON of another shape                wrong_type    another media type
    compressed    as nobody asked for                  nothing       an answer without a message or choice
    raw           `raw` in the pieces given            twice         each name of the answer twice
    """

    behaviour: str = "answer"
    texts: tuple[str, ...] = ("Hello", ", ", "world.")
    calls: tuple[ToolCall, ...] = ()
    stop: str = ""
    model: str = MODEL
    input_tokens: Any = 11
    output_tokens: Any = 7
    refusal: str | None = None
    thinking: str = ""
    status: int = 500
    raw: tuple[bytes, ...] = ()
    scores: Any = field(default_factory=dict)


@dataclass
class Server:
    """A running service. requests: bodies as JSON, in order; headers and bodies as received."""

    kind: str
    url: str = ""
    script: Script = field(default_factory=Script)
    requests: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)
    redirected: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def base_url(self) -> str:
        """The base URL with which an upstream or detector of this kind is configured."""
        return self.url + {"openai": "/v1", "moderation": "/v1", "detector": "/v1/detect"}.get(self.kind, "")


@asynccontextmanager
async def serve(kind: str, *, port: int = 0, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A service of `kind`: "anthropic", "openai", "moderation" or "detector"."""
    server = Server(kind)
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post(_PATHS[kind], _handler(server))
    app.router.add_route("*", "/elsewhere", _elsewhere(server))
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls)
        await site.start()
        host, bound = runner.addresses[0][:2]
        server.url = f"{'http' if tls is None else 'https'}://{host}:{bound}"
        yield server
    finally:
        await runner.cleanup()


def _elsewhere(server: Server) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(_: web.Request) -> web.StreamResponse:
        server.redirected += 1
        return web.json_response({})

    return handle


def _handler(server: Server) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    api = _APIS[server.kind]

    async def handle(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        server.bodies.append(body)
        server.requests.append(json.loads(body))
        server.headers.append({name.lower(): value for name, value in request.headers.items()})
        server.connections.add(request.transport)
        server.arrived.set()
        try:
            return await _respond(request, server.script, api, stream=bool(server.requests[-1].get("stream")))
        except (asyncio.CancelledError, ConnectionError):
            server.gone.set()
            raise

    return handle


@dataclass(frozen=True)
class _Api:
    whole: Callable[[Script], Any]
    events: Callable[[Script], list[bytes]]
    error: Callable[[int], Any]
    error_event: bytes
    noise: bytes


async def _respond(request: web.Request, script: Script, api: _Api, *, stream: bool) -> web.StreamResponse:
    if script.behaviour == "hang_up" and request.transport is not None:
        request.transport.abort()
    if script.behaviour in {"silent", "hang_up"}:
        await asyncio.Event().wait()
    if (plain := _plain(script, api, stream=stream)) is not None:
        return plain
    return await _send(request, _body(script, api, stream=stream), stream=stream, after=_AFTER.get(script.behaviour))


def _plain(script: Script, api: _Api, *, stream: bool) -> web.Response | None:
    response = None
    if script.behaviour == "answer" and not stream:
        response = web.json_response(api.whole(script))
    elif script.behaviour == "status":
        retry = {"x-should-retry": "true", "retry-after": "0"}
        response = web.json_response(api.error(script.status), status=script.status, headers=retry)
    elif script.behaviour == "redirect":
        response = web.Response(status=307, headers={"location": "/elsewhere"})
    elif script.behaviour == "garbage":
        response = web.Response(body=b"\x00\xff\xfe garbage", content_type="application/octet-stream")
    elif script.behaviour == "wrong_type":
        response = web.Response(body=json.dumps(api.whole(script)), content_type="text/html")
    return response


_AFTER = {
    "compressed": "compress",
    "cut": "reset",
    "silent_body": "hang",
    "ping": "repeat",
    "endless": "repeat",
    "endless_line": "repeat",
    "endless_lines": "repeat",
}


def _body(script: Script, api: _Api, *, stream: bool) -> list[bytes]:
    events = api.events(script) if stream else [json.dumps(api.whole(script)).encode()]
    half = events[: len(events) // 2 + 1] if stream else [events[0][: len(events[0]) // 2]]
    odd = b'{"type": "message_start", "model": ["?"], "choices": {"a": 1}, "content": 7}'
    bodies = {
        "cut": half,
        "cut_clean": half,
        "silent_body": [],
        "ping": [b": ping\n\n" if api is _OPENAI else _anthropic_event({"type": "ping"})] if stream else [b" "],
        "endless": [*events[:2], api.noise] if stream else [b" \n\n" * 4096],
        "endless_line": [b"x" * 16384],
        "endless_lines": [b"data: x\n" * 2048],
        "not_json": [b"event: message_start\ndata: {not json\n\n"] if stream else [b"{not json"],
        "wrong_shape": [b"event: message_start\ndata: " + odd + b"\n\n"] if stream else [odd],
        "twice": [events[0][:-1] + b"," + events[0][1:]],
        "nothing": [b"data: [DONE]\n\n"] if stream else [json.dumps(_emptied(api.whole(script))).encode()],
        "error_event": [*events[: len(events) // 2], api.error_event],
        "raw": list(script.raw),
    }
    return bodies.get(script.behaviour, events)


def _emptied(reply: Any) -> Any:
    return {k: [] if k in {"choices", "results", "scores"} else v for k, v in reply.items() if k != "content"}


async def _send(request: web.Request, pieces: list[bytes], *, stream: bool, after: str | None) -> web.StreamResponse:
    kind = "text/event-stream; charset=utf-8" if stream else "application/json"
    response = web.StreamResponse(headers={"content-type": kind, "cache-control": "no-cache"})
    if after == "compress":
        response.enable_compression(web.ContentCoding.gzip)
    await response.prepare(request)
    for piece in pieces:
        await response.write(piece)
    if after == "reset" and request.transport is not None:
        request.transport.abort()
    if after == "hang":
        await asyncio.Event().wait()
    while after == "repeat":
        await response.write(pieces[-1])
        await asyncio.sleep(0)
    return response


# --- Anthropic Messages -----------------------------------------------------------------------------------------


def _anthropic_stop(script: Script) -> str:
    return script.stop or ("tool_use" if script.calls else "end_turn")


def _anthropic_whole(script: Script) -> Any:
    text = "".join(script.texts)
    content: list[Any] = (
        [{"type": "thinking", "thinking": script.thinking, "signature": "s"}] if script.thinking else []
    )
    content += [{"type": "text", "text": text}] if text else []
    content += [{"type": "tool_use", "id": i, "name": n, "input": _lenient(a)} for i, n, a in script.calls]
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": script.model,
        "content": content,
        "stop_reason": _anthropic_stop(script),
        "stop_sequence": None,
        "usage": {"input_tokens": script.input_tokens, "output_tokens": script.output_tokens},
    }


def _lenient(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _anthropic_events(script: Script) -> list[bytes]:
    reply = {**_anthropic_whole(script), "content": [], "stop_reason": None}
    blocks: list[tuple[Any, list[Any]]] = []
    start: dict[str, Any]
    if script.thinking:
        start = {"type": "thinking", "thinking": "", "signature": ""}
        blocks.append((start, [{"type": "thinking_delta", "thinking": script.thinking}]))
    if script.texts:
        blocks.append(({"type": "text", "text": ""}, [{"type": "text_delta", "text": t} for t in script.texts]))
    for identifier, name, arguments in script.calls:
        halves = (arguments[: len(arguments) // 2], arguments[len(arguments) // 2 :]) if arguments else ()
        start = {"type": "tool_use", "id": identifier, "name": name, "input": {}}
        blocks.append((start, [{"type": "input_json_delta", "partial_json": h} for h in halves]))
    events: list[Any] = [
        {"type": "message_start", "message": {**reply, "usage": {**reply["usage"], "output_tokens": 1}}}
    ]
    for index, (start, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        events += [{"type": "ping"}] if index == 0 else []
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    events.append(
        {
            "type": "message_delta",
            "delta": {"stop_reason": _anthropic_stop(script), "stop_sequence": None},
            "usage": {"output_tokens": script.output_tokens},
        }
    )
    events.append({"type": "message_stop"})
    return [_anthropic_event(event) for event in events]


def _anthropic_event(event: Any) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def _anthropic_error(status: int) -> Any:
    names = {
        400: "invalid_request_error",
        401: "authentication_error",
        429: "rate_limit_error",
        529: "overloaded_error",
    }
    return {"type": "error", "error": {"type": names.get(status, "api_error"), "message": INJECTION}, "request_id": "r"}


_ANTHROPIC = _Api(
    _anthropic_whole,
    _anthropic_events,
    _anthropic_error,
    _anthropic_event(_anthropic_error(529)),
    _anthropic_event(
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "and on and on " * 64}}
    ),
)


# --- OpenAI chat completions ------------------------------------------------------------------------------------


def _openai_stop(script: Script) -> str:
    return script.stop or ("tool_calls" if script.calls else "stop")


def _openai_usage(script: Script) -> Any:
    if script.input_tokens is None:
        return None
    total = script.input_tokens + script.output_tokens
    return {"prompt_tokens": script.input_tokens, "completion_tokens": script.output_tokens, "total_tokens": total}


def _openai_whole(script: Script) -> Any:
    message: dict[str, Any] = {"role": "assistant", "content": "".join(script.texts) or None, "refusal": script.refusal}
    if script.thinking:
        message["reasoning_content"] = script.thinking
    if script.calls:
        message["tool_calls"] = [
            {"id": i, "type": "function", "function": {"name": n, "arguments": a}} for i, n, a in script.calls
        ]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": script.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": _openai_stop(script)}],
        "usage": _openai_usage(script),
    }


def _openai_chunk(script: Script, choices: list[Any], usage: Any = None) -> bytes:
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": script.model}
    return f"data: {json.dumps({**chunk, 'choices': choices, 'usage': usage})}\n\n".encode()


def _openai_events(script: Script) -> list[bytes]:
    deltas: list[Any] = [{"role": "assistant", "content": "", "refusal": None}]
    deltas += [{"reasoning_content": script.thinking}] if script.thinking else []
    deltas += [{"content": text} for text in script.texts]
    deltas += [{"refusal": script.refusal}] if script.refusal else []
    for index, (identifier, name, arguments) in enumerate(script.calls):
        function = {"name": name, "arguments": ""}
        deltas.append({"tool_calls": [{"index": index, "id": identifier, "type": "function", "function": function}]})
        for half in (arguments[: len(arguments) // 2], arguments[len(arguments) // 2 :]):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": half}}]})
    chunks = [_openai_chunk(script, [{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas]
    chunks.append(_openai_chunk(script, [{"index": 0, "delta": {}, "finish_reason": _openai_stop(script)}]))
    if script.input_tokens is not None:
        chunks.append(_openai_chunk(script, [], _openai_usage(script)))
    return [*chunks, b"data: [DONE]\n\n"]


def _openai_error(status: int) -> Any:
    return {"error": {"message": INJECTION, "type": "server_error", "param": None, "code": str(status)}}


_OPENAI = _Api(
    _openai_whole,
    _openai_events,
    _openai_error,
    f"data: {json.dumps(_openai_error(503))}\n\n".encode(),
    _openai_chunk(Script(), [{"index": 0, "delta": {"content": "and on and on " * 64}, "finish_reason": None}]),
)


# --- OpenAI moderation, and the contract of detectors -----------------------------------------------------------


def _moderation_whole(script: Script) -> Any:
    flagged = dict.fromkeys(script.scores, True)
    kinds = {name: ["text"] for name in script.scores}
    result = {"flagged": True, "categories": flagged, "category_scores": script.scores}
    return {
        "id": "modr-1",
        "model": script.model,
        "results": [{**result, "category_applied_input_types": kinds}],
    }


def _detector_whole(script: Script) -> Any:
    return {"version": script.model, "scores": script.scores}


def _no_events(_: Script) -> list[bytes]:
    return []


_MODERATION = _Api(_moderation_whole, _no_events, _openai_error, b"", b"")
_DETECTOR = _Api(_detector_whole, _no_events, _openai_error, b"", b"")
_APIS = {"anthropic": _ANTHROPIC, "openai": _OPENAI, "moderation": _MODERATION, "detector": _DETECTOR}
_PATHS = {
    "anthropic": "/v1/messages",
    "openai": "/v1/chat/completions",
    "moderation": "/v1/moderations",
    "detector": "/v1/detect",
}


async def _main(kind: str, port: int) -> None:
    async with serve(kind, port=port) as server:
        print(server.url, flush=True)  # noqa: T201 - tells the parent its address
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2])))
