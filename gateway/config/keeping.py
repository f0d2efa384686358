"""Sections about what is stored: the log and sealed content."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gateway.config.values import Dsn, FilePath, Milliseconds, Section


class Pkcs11(Section):
    """A PKCS #11 token that holds the wrapping keys. pin: a file that holds only the PIN."""

    module: FilePath
    token: str = Field(min_length=1)
    pin: FilePath


class Sealed(Section):
    """Where content is sealed if an obligation requires it. Exactly one of keys (a folder) and pkcs11.

    reviewers: public keys; any two reviewers together can open. log: where openings, purges and holds are recorded.
    retention_months: how long the content of each class is kept; at least six.
    """

    path: FilePath
    keys: FilePath | None = None
    pkcs11: Pkcs11 | None = None
    reviewers: tuple[FilePath, ...] = Field(min_length=2, max_length=16)
    log: FilePath
    log_origin: str = Field(pattern=r"^[^\s+]+$", max_length=255)
    log_key: FilePath
    retention_months: dict[str, Annotated[int, Field(ge=6, le=1200)]] = Field(default={"standard": 30}, min_length=1)
    deadline_ms: Milliseconds = 1000

    @model_validator(mode="after")
    def _one_vault(self) -> Self:
        if (self.keys is None) == (self.pkcs11 is None):
            raise ValueError("needs exactly one of keys and pkcs11")
        return self


class Audit(Section):
    """The log. origin names it in every checkpoint; keys sign checkpoints and make content commitments.

    store: "sqlite" keeps the log in the file at `path`; "postgresql" in the database that `dsn` names, with derived
    data beside `path`.
    lock_store, lock_dsn: a folder on another volume, or a database on another host, that also gets the latest
    checkpoint.
    other_keys: public keys of other gateways' logs in the same database. Their records are verified with these keys
    before they are returned, and reports count them.
    capacity_mib: the maximum size of the database; by default the disk's size. sealed: where sealed content is kept.
    """

    store: Literal["sqlite", "postgresql"] = "sqlite"
    path: FilePath
    dsn: Dsn | None = None
    password_file: FilePath | None = None
    origin: str = Field(pattern=r"^[^\s+]+$", max_length=255)
    signing_key: FilePath
    commitment_key: FilePath
    enclave: str = ""
    node: str = ""
    lock_store: FilePath | None = None
    lock_dsn: Dsn | None = None
    lock_password_file: FilePath | None = None
    other_keys: tuple[FilePath, ...] = ()
    capacity_mib: int | None = Field(default=None, ge=1)
    warn_at_percent: tuple[Annotated[int, Field(ge=1, le=99)], ...] = (75, 90, 95)
    deadline_ms: Milliseconds = 1000
    checkpoint_ms: int = Field(default=1000, ge=10, le=60_000)
    checkpoint_records: int = Field(default=10_000, ge=1, le=1_000_000)
    unauthenticated_per_s: int = Field(default=50, ge=1)
    sealed: Sealed | None = None

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.store == "postgresql") != (self.dsn is not None):
            raise ValueError('dsn: store = "postgresql" needs it, and store = "sqlite" has none')
        if self.lock_store is not None and self.lock_dsn is not None:
            raise ValueError("lock_dsn: give lock_store or lock_dsn, not both")
        if self.other_keys and self.dsn is None:
            raise ValueError("other_keys: other gateways keep their logs beside this one only in a PostgreSQL")
        for name in ("password_file", "lock_password_file"):
            if getattr(self, name) is not None and getattr(self, name.replace("password_file", "dsn")) is None:
                raise ValueError(f"{name}: goes with {name.replace('password_file', 'dsn')}")
        return self
