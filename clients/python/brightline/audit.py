"""Clients for reviewers, who read the audit log of a gateway with a token that has the role for it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import Any, TypeAlias, Unpack

import grpc

from brightline import _channel, _review, _status
from brightline._review import LogRecord, ProvedRecord, RecordFilter, RecordPage, Watched
from brightline.aio import AsyncConnection, AsyncOptions
from brightline.client import Connection, Options
from brightline.v1 import audit_pb2
from brightline.v1.audit_pb2_grpc import AuditServiceStub

Pieces: TypeAlias = Generator[bytes, None, None]
AsyncPieces: TypeAlias = AsyncGenerator[bytes, None]

_ALL = RecordFilter()


class AuditClient(Connection):
    """Reads the log of the gateway at `target`. The arguments are those of Client. Raises OSError, ValueError.

    Every call leaves a record in that log. Close iterators that are not read to their end.
    """

    def __init__(self, target: str, **options: Unpack[Options]) -> None:
        super().__init__(target, **options)
        self._stub = AuditServiceStub(self._channel)  # type: ignore[no-untyped-call]  # generated

    def search(
        self, wanted: RecordFilter = _ALL, *, page_size: int = 50, page_token: str = "", timeout_s: float | None = None
    ) -> RecordPage:
        """A page of records, newest first. Raises BrightlineError."""
        request = _search(wanted, page_size, page_token)
        return _review.page(self._call(self._stub.Search, request, timeout_s))

    def records(
        self, wanted: RecordFilter = _ALL, *, timeout_s: float | None = None
    ) -> Generator[LogRecord, None, None]:
        """All matching records, newest first, fetched page by page. timeout_s: for each page.

        Raises BrightlineError.
        """
        token, pages = "", _review.Pages()
        while True:
            found = self.search(wanted, page_token=token, timeout_s=timeout_s)
            yield from found.records
            token = pages.after(found)
            if not token:
                return

    def get(self, decision_id: str, *, timeout_s: float | None = None) -> tuple[LogRecord, ...]:
        """The records of a decision. Raises NotFound, BrightlineError."""
        answer = self._call(self._stub.Get, audit_pb2.GetRequest(id=decision_id), timeout_s)
        return _review.records(answer.records)

    def prove(self, decision_id: str, *, timeout_s: float | None = None) -> tuple[ProvedRecord, ...]:
        """The records of a decision with their proofs. Raises NotFound, BrightlineError."""
        return _review.proved(self._call(self._stub.Prove, audit_pb2.ProveRequest(id=decision_id), timeout_s))

    def watch(
        self, wanted: RecordFilter = _ALL, *, cursor: str = "", timeout_s: float | None = None
    ) -> Generator[Watched, None, None]:
        """New records as they become durable. Raises DeadlineExceeded when the time is over; resume with a cursor."""
        request = audit_pb2.WatchRequest(filter=wanted.message(), cursor=cursor)
        for message in self._stream(self._stub.Watch, request, timeout_s):
            yield _review.watched(message)

    def export(self, wanted: RecordFilter = _ALL, *, timeout_s: float | None = None) -> Pieces:
        """The pieces of a file of records with proofs, for `brightline-verify records`. Raises BrightlineError."""
        for message in self._stream(self._stub.Export, _export(wanted), timeout_s):
            yield message.chunk

    def _stream(self, method: Any, request: object, timeout_s: float | None) -> Generator[Any, None, None]:
        attempts = self._attempts(timeout_s)
        token = self._fresh_token(attempts)
        metadata = _channel.metadata(token)
        with self._while_open():
            call = method(request, timeout=attempts.remaining_s(), metadata=metadata)
        try:
            yield from call
        except grpc.RpcError as failed:
            raise _status.error(failed, self._target, token) from None
        finally:
            call.cancel()  # has no effect on a finished call


class AsyncAuditClient(AsyncConnection):
    """The same for asyncio. The arguments are those of AsyncClient. Raises OSError, ValueError."""

    def __init__(self, target: str, **options: Unpack[AsyncOptions]) -> None:
        super().__init__(target, **options)
        self._stub = AuditServiceStub(self._channel)  # type: ignore[no-untyped-call]  # generated

    async def search(
        self, wanted: RecordFilter = _ALL, *, page_size: int = 50, page_token: str = "", timeout_s: float | None = None
    ) -> RecordPage:
        """A page of records, newest first. Raises BrightlineError."""
        request = _search(wanted, page_size, page_token)
        return _review.page(await self._call(self._stub.Search, request, timeout_s))

    async def records(
        self, wanted: RecordFilter = _ALL, *, timeout_s: float | None = None
    ) -> AsyncGenerator[LogRecord, None]:
        """All matching records, newest first, fetched page by page. timeout_s: for each page.

        Raises BrightlineError.
        """
        token, pages = "", _review.Pages()
        while True:
            found = await self.search(wanted, page_token=token, timeout_s=timeout_s)
            for one in found.records:
                yield one
            token = pages.after(found)
            if not token:
                return

    async def get(self, decision_id: str, *, timeout_s: float | None = None) -> tuple[LogRecord, ...]:
        """The records of a decision. Raises NotFound, BrightlineError."""
        answer = await self._call(self._stub.Get, audit_pb2.GetRequest(id=decision_id), timeout_s)
        return _review.records(answer.records)

    async def prove(self, decision_id: str, *, timeout_s: float | None = None) -> tuple[ProvedRecord, ...]:
        """The records of a decision with their proofs. Raises NotFound, BrightlineError."""
        return _review.proved(await self._call(self._stub.Prove, audit_pb2.ProveRequest(id=decision_id), timeout_s))

    async def watch(
        self, wanted: RecordFilter = _ALL, *, cursor: str = "", timeout_s: float | None = None
    ) -> AsyncGenerator[Watched, None]:
        """New records as they become durable. Raises DeadlineExceeded when the time is over; resume with a cursor."""
        request = audit_pb2.WatchRequest(filter=wanted.message(), cursor=cursor)
        async for message in self._stream(self._stub.Watch, request, timeout_s):
            yield _review.watched(message)

    async def export(self, wanted: RecordFilter = _ALL, *, timeout_s: float | None = None) -> AsyncPieces:
        """The pieces of a file of records with proofs, for `brightline-verify records`. Raises BrightlineError."""
        async for message in self._stream(self._stub.Export, _export(wanted), timeout_s):
            yield message.chunk

    async def _stream(self, method: Any, request: object, timeout_s: float | None) -> AsyncGenerator[Any, None]:
        attempts = self._attempts(timeout_s)
        token = await self._fresh_token(attempts)
        call = method(request, timeout=attempts.remaining_s(), metadata=_channel.metadata(token))
        try:
            with self._while_open():
                async for message in call:
                    yield message
        except grpc.RpcError as failed:
            raise _status.error(failed, self._target, token) from None
        finally:
            call.cancel()  # has no effect on a finished call


def _search(wanted: RecordFilter, page_size: int, page_token: str) -> audit_pb2.SearchRequest:
    return audit_pb2.SearchRequest(filter=wanted.message(), page_size=page_size, page_token=page_token)


def _export(wanted: RecordFilter) -> audit_pb2.ExportRequest:
    return audit_pb2.ExportRequest(filter=wanted.message(), format=audit_pb2.EXPORT_FORMAT_RECORDS)
