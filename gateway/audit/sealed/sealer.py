"""The gateway's side of the sealed store. It seals and can't open.

1 get the keys of the period, or make them: the private half is given to the reviewers and forgotten
2 make the envelope    3 write it durably, together with all that wait    4 return its digest, for the log
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from gateway.audit.sealed import envelope, places
from gateway.audit.sealed.envelope import Label, Period, SealError
from gateway.audit.sealed.store import Keys, SealedStore
from gateway.audit.sealed.vault import Vault
from gateway.audit.writing import unavailable
from gateway.canonical import canonical
from gateway.config import Sealed
from gateway.errors import StartError

_KNOWN = 10_000
_WAITING = 256
"""The most contents that may wait for the disk. Further ones are refused at once."""
_TOGETHER = 64
"""The most envelopes that are written with one sync."""


def period_of(tenant: str, retention: str, now_us: int) -> Period:
    """The period of content sealed now: the current month in UTC."""
    return Period(tenant, retention, f"{datetime.fromtimestamp(now_us // 1_000_000, UTC):%Y-%m}")


@dataclass(frozen=True, slots=True)
class _Item:
    """Content to be sealed. digest: of its envelope, once that is durable."""

    label: Label
    content: bytes
    digest: Future[str] = field(default_factory=Future)


class Sealer:
    """Seals in a thread of its own, each content within a deadline."""

    def __init__(
        self, store: SealedStore, vault: Vault, reviewers: Mapping[str, X25519PublicKey], settings: Sealed
    ) -> None:
        self._store, self._vault, self._reviewers = store, vault, reviewers
        self._months = dict(settings.retention_months)
        self._deadline_s = settings.deadline_ms / 1000
        self._known: dict[Period, X25519PublicKey] = {}
        self._waiting = 0
        self._next: deque[_Item] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sealed")
        self._thread.submit(int)  # starts the thread: if none is available, the start fails and not a call

    @classmethod
    def open(cls, settings: Sealed) -> Sealer:
        """Open the store and read the reviewers' keys. Each worker of a gateway does this. Raises StartError."""
        reviewers = places.reviewers(settings)
        vault = places.vault(settings)
        try:
            store = SealedStore(settings.path, lock_wait_s=settings.deadline_ms / 1000)
            return cls(store, vault, reviewers, settings)
        except (OSError, RuntimeError) as error:  # RuntimeError: no thread is available
            vault.close()
            raise StartError(f"audit.sealed.path: {settings.path}: cannot be opened: {error}") from error

    def retention(self, classes: tuple[str, ...]) -> str:
        """The class among these that keeps content longest. Raises GatewayError for a class that is not configured."""
        unknown = [name for name in classes if name not in self._months]
        if unknown:
            raise unavailable(f"audit.sealed.retention_months: has no {unknown[0]}, which the policy asks for")
        return max(classes, key=lambda name: (self._months[name], name))

    async def seal(self, decision_id: str, what: str, period: Period, content: bytes) -> str:
        """Seal content; return the envelope's digest once it is durable. Raises GatewayError (AUDIT_UNAVAILABLE)."""
        if self._waiting >= _WAITING:
            raise unavailable("the sealed store is too slow")
        self._waiting += 1
        item = _Item(Label(decision_id, what, period), content)
        self._next.append(item)
        self._thread.submit(self._seal_next)
        work = asyncio.wrap_future(item.digest)
        work.add_done_callback(self._done)
        try:
            async with asyncio.timeout(self._deadline_s):  # wait_for of Python 3.11 loses some cancellations
                return await asyncio.shield(work)
        except Exception as error:  # after any failure the content is not sealed
            raise unavailable(f"content could not be sealed: {error or 'in time'}") from error

    def _done(self, work: asyncio.Future[str]) -> None:
        self._waiting -= 1
        if not work.cancelled():
            work.exception()  # marks it as seen; the waiting caller was told

    def close(self) -> None:
        """Close the store after the work that waits. Does not wait for a disk that hangs."""
        self._thread.submit(self._store.close)
        self._thread.submit(self._vault.close)
        self._thread.shutdown(wait=False)

    # --- the thread's side -------------------------------------------------------------------------------------------

    def _seal_next(self) -> None:
        """Seal all that wait, in one write. None may wait, if an earlier turn took them."""
        made: list[tuple[_Item, bytes]] = []
        for item in [self._next.popleft() for _ in range(min(len(self._next), _TOGETHER))]:
            try:
                made.append((item, self._enveloped(item.label, item.content)))
            except Exception as error:  # noqa: BLE001 - reported to the caller of this one
                item.digest.set_exception(error)
        if not made:
            return
        try:
            self._store.put([(item.label, sealed) for item, sealed in made])  # 3
        except Exception as error:  # noqa: BLE001 - as above
            for item, _ in made:
                item.digest.set_exception(error)
            return
        for item, sealed in made:
            item.digest.set_result(hashlib.sha256(sealed).hexdigest())  # 4

    def _enveloped(self, label: Label, content: bytes) -> bytes:
        public = self._public(label.period)  # 1
        return envelope.seal(content, label, public, partial(self._vault.wrap, label.period))  # 2

    def _public(self, period: Period) -> X25519PublicKey:
        if period not in self._known:
            keys = self._store.keys(period) or self._store.keep(period, partial(self._new, period))
            if self._vault.unwrap(period, keys.bound, bound_to(period, keys)) != b"":
                raise SealError(f"the keys of {period} are not those that were made")
            if len(self._known) >= _KNOWN:
                self._known.clear()
            self._known[period] = X25519PublicKey.from_public_bytes(keys.public)
        return self._known[period]

    def _new(self, period: Period) -> Keys:
        private = X25519PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
        self._vault.create(period)
        keys = Keys(public, envelope.escrow(private, self._reviewers, period), b"")
        return Keys(keys.public, keys.escrow, self._vault.wrap(period, b"", bound_to(period, keys)))


def bound_to(period: Period, keys: Keys) -> bytes:
    """Those parts of a period's keys that the wrapping key authenticates."""
    return canonical({"v": 1, "keys": asdict(period), "public": keys.public.hex(), "escrow": keys.escrow})
