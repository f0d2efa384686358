"""A release as the process that loaded it hands it over: typed, verified, compiled and tested, in one piece of bytes.

    SHA-256 of the rest | lengths | what is said, in JSON | the tenants' text | machine code

Neither side sends it anywhere but through a pipe or a socket pair that both hold. The digest says that it came whole.
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
"""Four times what the files of a release may hold: machine code is larger than the module that it was made of."""

_HEAD: Final = struct.Struct("=32s3Q")


class GarbageError(ValueError):
    """The bytes are not what a loader hands over."""


@dataclass(frozen=True, slots=True)
class CompiledRelease:
    """release: without its module; where there is machine code, it has passed its self-test and is without that, too.

    code: machine code of the module. state: of its source, for the next time. raw: all of this, to be handed on.
    """

    release: Release
    code: bytes
    state: State
    raw: bytes


@dataclass(frozen=True, slots=True)
class Same:
    """The release is the one that was known. expires_us: when what is signed now expires."""

    expires_us: int | None
    state: State


@dataclass(frozen=True, slots=True)
class Refused:
    """There is no release. why: for log and record; empty where the loader itself failed, at a place in its program."""

    why: str
    failed: str = ""


def refusal(refused: Refused) -> bytes:
    """What is handed over instead of a release."""
    return _framed({"refused": refused.why, "failed": refused.failed})


def unchanged(expires_us: int | None, state: State) -> bytes:
    """What is handed over for a release that is known."""
    return _framed({"same": True, "expires_us": expires_us, "state": state})


def whole(release: Release, code: bytes, state: State) -> bytes:
    """What is handed over for a release. code: empty where a server decides; its self-test goes with it then."""
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
    """What was handed over. Raises GarbageError."""
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
