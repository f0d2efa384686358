"""The whole configuration, and checks across sections."""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from gateway import dsn
from gateway.config.callers import Approvals, Identity, Limits, Listener, QuotaStore, Review
from gateway.config.deciding import Policy, ReleaseSource, Signals, Upstream
from gateway.config.keeping import Audit
from gateway.config.observing import Metrics, Tracing
from gateway.config.values import Section, part
from gateway.errors import StartError


class Config(Section):
    """The configuration of a gateway. marking_ceiling: the highest marking for which the enclave is cleared."""

    lines: ClassVar = frozenset({"appeal"})

    profile: Literal["development", "production"]
    appeal: str = ""
    marking_ceiling: str = Field(default="UNCLASSIFIED", max_length=256)
    listener: Listener
    limits: Limits = Limits()
    quotas: QuotaStore = QuotaStore()
    identity: Identity
    release: ReleaseSource
    policy: Policy = Policy()
    signals: Signals = Signals()
    audit: Audit
    review: Review = Review()
    approvals: Approvals = Approvals()
    upstreams: tuple[Upstream, ...] = Field(min_length=1)
    metrics: Metrics | None = None
    tracing: Tracing | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @model_validator(mode="after")
    def _unambiguous(self) -> Self:
        names = [u.name for u in self.upstreams]
        if len(set(names)) != len(names):
            raise ValueError("upstreams: two upstreams have the same name")
        issuers = [i.issuer for i in self.identity.issuers]
        if len(set(issuers)) != len(issuers):
            raise ValueError("identity.issuers: two issuers have the same name")
        domains = [d.name for d in self.identity.trust_domains]
        if len(set(domains)) != len(domains):
            raise ValueError("identity.trust_domains: two trust domains have the same name")
        return self

    @model_validator(mode="after")
    def _workers(self) -> Self:
        if self.listener.workers > self.limits.concurrent_calls:
            raise ValueError("listener.workers: more than limits.concurrent_calls, so that some could take no call")
        return self

    def of_worker(self, port: int) -> Config:
        """The configuration of one worker: the shared port, and its share of the limits on all calls."""
        one = partial(part, workers=self.listener.workers)
        host = self.listener.address.rpartition(":")[0]
        calls, connections = one(self.limits.concurrent_calls), one(self.limits.connections)
        return self.model_copy(
            update={
                "listener": self.listener.model_copy(update={"address": f"{host}:{port}"}),
                "limits": self.limits.model_copy(update={"concurrent_calls": calls, "connections": connections}),
                "audit": self.audit.model_copy(update={"unauthenticated_per_s": one(self.audit.unauthenticated_per_s)}),
            }
        )

    @property
    def searched(self) -> bool:
        """Whether anybody may search the log, which then needs an index."""
        return bool(self.review.served or self.approvals.role)

    def renewed(self, fresh: Config) -> Config:
        """`fresh`, if new workers suffice to apply it. Raises StartError if a changed key requires a restart.

        Keys that only workers use may change: callers, limits, detectors, upstreams, reviewers.
        """
        parts = (self.of_keeper(), fresh.of_keeper())
        if changed := [name for name in parts[0] if parts[0][name] != parts[1][name]]:
            raise StartError(f"{', '.join(changed)}: changed; stop the gateway and start it again for that")
        return fresh

    def of_keeper(self) -> dict[str, object]:
        """The settings that the process which keeps the log for workers uses, by key."""
        own = {
            "listener.address": self.listener.address,
            "listener.workers": self.listener.workers,
            "review and approvals, whether anybody has a role of them": self.searched,
        }
        return own | {
            name: getattr(self, name)
            for name in ("profile", "marking_ceiling", "release", "policy", "audit", "metrics")
        }

    @model_validator(mode="after")
    def _production(self) -> Self:
        if self.profile != "production":
            return self
        lacking = {
            "identity.issuers: the production profile needs at least one token issuer": not self.identity.issuers,
            "release.path: the production profile refuses a release that nobody signed; name release.repository or "
            "release.url, with release.root and release.metadata": not self.release.signed,
            "marking_ceiling: the production profile needs the highest marking that this enclave is cleared for, "
            'such as "UNCLASSIFIED", "CUI" or "SECRET//NOFORN"': "marking_ceiling" not in self.model_fields_set,
            "listener.reflection: the production profile does not serve reflection": self.listener.reflection,
            "upstreams: the production profile has no loopback upstream": any(
                u.kind == "loopback" for u in self.upstreams
            ),
            "audit.dsn: the production profile needs sslmode=verify-full": not dsn.is_protected(self.audit.dsn),
            "audit.lock_dsn: the production profile needs sslmode=verify-full": not dsn.is_protected(
                self.audit.lock_dsn
            ),
            "audit.lock_store: the production profile needs lock_store or lock_dsn with a log in PostgreSQL: a "
            "database that was put back looks whole": self.audit.store == "postgresql"
            and self.audit.lock_store is None
            and self.audit.lock_dsn is None,
        }
        if any(lacking.values()):
            raise ValueError("\n".join(text for text, is_so in lacking.items() if is_so))
        return self
