"""The format in which the loader hands over a release: typed, verified, compiled and tested, as one byte string.

    SHA-256 of the rest | lengths | JSON | the tenants' text | machine code

The bytes travel only through a pipe or socket pair between processes of one gateway. The digest shows that they arrived
complete; it does not authenticate them.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import orjson

from gateway.release import State
from gateway.types import Change, Check, Compared, Model, Packed, Price, Release, Signature, Step, packed

LONGEST: Final = 256 << 20
"""Bytes: four times the limit for the files of a release, because machine code is larger than its Wasm module."""

_HEAD: Final = struct.Struct("=32s3Q")


class GarbageError(ValueError):
    """The bytes are not in the format of a loader's answer."""


@dataclass(frozen=True, slots=True)
class CompiledRelease:
    """A release without its Wasm module. If there is machine code, the self-test has passed and is left out, too.

    code: machine code of the module. state: identifies what the source had, for the next load. raw: all these bytes.
    """

    release: Release
    code: bytes
    state: State
    raw: bytes


@dataclass(frozen=True, slots=True)
class Same:
    """The source still has the known release. expires_us: when its current signatures expire."""

    expires_us: int | None
    state: State


@dataclass(frozen=True, slots=True)
class Refused:
    """No release was loaded. why: text for log and record; if empty, the loader failed at `place` in its program."""

    why: str
    failed: str = ""


def refusal(refused: Refused) -> bytes:
    """The bytes that say that no release was loaded."""
    return _framed({"refused": refused.why, "failed": refused.failed})


def unchanged(expires_us: int | None, state: State) -> bytes:
    """The bytes that say that the source has the known release."""
    return _framed({"same": True, "expires_us": expires_us, "state": state})


def whole(release: Release, code: bytes, state: State) -> bytes:
    """The bytes for a release. code: empty if an OPA server decides; the self-test is then included."""
    text, places = packed(release.tenants)
    said = {
        "digest": release.digest,
        "version": release.version,
        "signers": release.signers,
        "revision": release.revision,
        "data": release.data,
        "models": [[getattr(model, f.name) for f in fields(Model)] for model in release.models.values()],
        "signatures": [[s.holder, s.role, s.key] for s in release.signatures],
        "metadata": release.metadata,
        "expires_us": release.expires_us,
        "checks": [] if code else [[c.id, c.input, c.effect, [*c.rules]] for c in release.checks],
        "base": release.base,
        "steps": release.steps,
    }
    return _framed({"release": said, "places": places, "state": state}, text, code)


def parse(raw: bytes) -> CompiledRelease | Same | Refused:
    """Parse a loader's answer. Raises GarbageError."""
    try:
        said, text, code = _unframed(raw)
        match said:
            case {"release": _, "places": _, "state": [*state]}:
                return CompiledRelease(_release(said["release"], Packed(text, said["places"])), code, tuple(state), raw)
            case {"same": True, "expires_us": int() | None as expires_us, "state": [*state]}:
                return Same(expires_us, tuple(state))
            case {"refused": str(why), "failed": str(failed)}:
                return Refused(why, failed)
    except (ValueError, TypeError, KeyError, struct.error) as error:
        raise GarbageError(f"{type(error).__name__}") from error
    raise GarbageError("nothing that a loader says")


def _framed(said: Mapping[str, Any], text: bytes = b"", code: bytes = b"") -> bytes:
    header = orjson.dumps(said)
    lengths = _HEAD.pack(b"", len(header), len(text), len(code))[32:]
    rest = b"".join((lengths, header, text, code))
    return hashlib.sha256(rest).digest() + rest


def _unframed(raw: bytes) -> tuple[Any, bytes, bytes]:
    digest, header, text, code = _HEAD.unpack_from(raw)
    start = _HEAD.size
    if len(raw) != start + header + text + code or hashlib.sha256(memoryview(raw)[32:]).digest() != digest:
        raise ValueError("not whole")
    first, second = start + header, start + header + text
    return orjson.loads(memoryview(raw)[start:first]), raw[first:second], raw[second:]


def _release(said: dict[str, Any], tenants: Packed) -> Release:
    return Release(
        digest=said["digest"],
        version=said["version"],
        signers=tuple(said["signers"]),
        revision=said["revision"],
        wasm=b"",
        data=said["data"],
        tenants=tenants,
        models={model[0]: _model(model) for model in said["models"]},
        signatures=tuple(Signature(*signature) for signature in said["signatures"]),
        metadata=said["metadata"],
        expires_us=said["expires_us"],
        checks=tuple(Check(name, facts, effect, frozenset(rules)) for name, facts, effect, rules in said["checks"]),
        base=said["base"],
        steps=tuple(_step(step) for step in said["steps"]),
    )


def _model(said: list[Any]) -> Model:
    name, description, upstream, upstream_model, attributes, price = said
    return Model(name, description, upstream, upstream_model, attributes, Price(**price) if price else None)


def _step(said: dict[str, Any]) -> Step:
    changes = tuple(Change(**change) for change in said["changes"])
    compared = tuple(Compared(**{**part, "examples": tuple(part["examples"])}) for part in said["compared"])
    return Step(said["before"], said["after"], said["version"], changes, compared)
