"""AuditService on the wire, part of the gRPC shell. gateway.review handles the reviewer's call."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Final, TypeAlias

import grpc
from google.protobuf.message import Message

from brightline.v1 import audit_pb2
from gateway import review
from gateway.audit.filter import Filter
from gateway.audit.search import Found
from gateway.inforce import InForce
from gateway.review import Asked, Desk
from gateway.server import Context, Handler, Shell, only_message, streaming, unary
from gateway.types import Call
from gateway.wire import record_filter

SERVICE: Final = "brightline.v1.AuditService"
PAGE: Final = 50

Answer: TypeAlias = Callable[[Desk, Shell, Call, InForce, Context], Awaitable[Message]]
Stream: TypeAlias = Callable[[Desk, Shell, Call, InForce, Context], AsyncGenerator[Message]]


def handlers(shell: Shell, desk: Desk) -> dict[str, Handler]:
    """The methods of AuditService by name. Unary methods are read as streams; gateway.server explains why."""
    answers: dict[str, Answer] = {"Search": _search, "Get": _get, "Prove": _prove}
    streams: dict[str, Stream] = {"Watch": _watch, "Export": _export}
    made: dict[str, Handler] = {}
    for name, answer in answers.items():
        handler = unary(shell, f"/{SERVICE}/{name}", partial(answer, desk))
        made[name] = grpc.stream_unary_rpc_method_handler(handler)
    for name, stream in streams.items():
        handler_of_stream = streaming(shell, f"/{SERVICE}/{name}", partial(stream, desk))
        made[name] = grpc.stream_stream_rpc_method_handler(handler_of_stream)
    return made


async def _search(desk: Desk, shell: Shell, call: Call, in_force: InForce, context: Context) -> Message:
    async def read() -> Asked:
        request = await only_message(shell, context, audit_pb2.SearchRequest)
        return Asked(record_filter(request.filter), request.page_token, request.page_size or PAGE)

    page, word = await review.search(call, read, desk, in_force)
    records = [_record(found) for found in page.found]
    return audit_pb2.SearchResponse(decision_id=call.decision_id, records=records, next_page_token=word)


async def _get(desk: Desk, shell: Shell, call: Call, in_force: InForce, context: Context) -> Message:
    async def read() -> str:
        return (await only_message(shell, context, audit_pb2.GetRequest)).id

    found = await review.get(call, read, desk, in_force)
    return audit_pb2.GetResponse(decision_id=call.decision_id, records=[_record(one) for one in found])


async def _prove(desk: Desk, shell: Shell, call: Call, in_force: InForce, context: Context) -> Message:
    async def read() -> str:
        return (await only_message(shell, context, audit_pb2.ProveRequest)).id

    found = await review.prove(call, read, desk, in_force)
    proved = [
        audit_pb2.ProvedRecord(record=_record(one), proof=proof.text() if proof is not None else b"")
        for one, proof in found
    ]
    return audit_pb2.ProveResponse(decision_id=call.decision_id, records=proved)


async def _watch(desk: Desk, shell: Shell, call: Call, in_force: InForce, context: Context) -> AsyncGenerator[Message]:
    async def read() -> Asked:
        request = await only_message(shell, context, audit_pb2.WatchRequest)
        return Asked(record_filter(request.filter), request.cursor)

    async with aclosing(review.watch(call, read, desk, in_force)) as events:
        async for found, cursor in events:
            if found is None:
                yield audit_pb2.WatchResponse(decision_id=call.decision_id, cursor=cursor)
            else:
                yield audit_pb2.WatchResponse(record=_record(found), cursor=cursor)


async def _export(desk: Desk, shell: Shell, call: Call, in_force: InForce, context: Context) -> AsyncGenerator[Message]:
    async def read() -> Filter:
        return record_filter((await only_message(shell, context, audit_pb2.ExportRequest)).filter)

    decision_id = call.decision_id
    async with aclosing(review.export(call, read, desk, in_force)) as pieces:
        async for piece in pieces:
            yield audit_pb2.ExportResponse(decision_id=decision_id, chunk=piece)
            decision_id = ""


def _record(found: Found) -> audit_pb2.LogRecord:
    return audit_pb2.LogRecord(origin=found.origin, index=found.index, json=found.leaf)
