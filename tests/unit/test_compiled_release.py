"""A release as it is handed from process to process: all of it, or garbage."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.canonical import Json
from gateway.compiled_release import CompiledRelease, GarbageError, Refused, Same, parse, refusal, unchanged, whole
from gateway.types import Change, Check, Compared, Packed, Price, Signature, Step, Tenant, packed
from tests.support.releases import ATTRIBUTES, MODEL, TENANT, release

OTHER: Final = Tenant(
    "other", ("spiffe://other.example/a", "sha256:" + "0" * 64), {**ATTRIBUTES, "note": "ü"}, {"requests_per_minute": 1}
)
SIGNED: Final = replace(
    release(b"\0asm"),
    tenants={TENANT.id: TENANT, "other": OTHER},
    models={MODEL.id: MODEL, "dear": replace(MODEL, id="dear", price=Price(1, 2))},
    signatures=(Signature("agency", "targets", "k"),),
    metadata={"root": 1},
    expires_us=5,
    checks=(Check("c", {"a": 1}, "deny", frozenset({"r"})),),
    base="b",
    steps=(Step("1", "2", 3, (Change("looser", "t", "a"),), (Compared("a", 1, 2, 3, ("x",)),)),),
)
RAW: Final = whole(SIGNED, b"code", ("d", 1, 2))


def handed(raw: bytes) -> CompiledRelease:
    found = parse(raw)
    assert isinstance(found, CompiledRelease)
    return found


def test_all_of_a_release_arrives() -> None:
    """Everything that calls, records and those who ask see of it; module and self-test only where they are needed."""
    found = handed(RAW)
    assert (found.code, found.state, found.raw) == (b"code", ("d", 1, 2), RAW)
    assert found.release == replace(SIGNED, wasm=b"", checks=())
    asked = handed(whole(SIGNED, b"", ()))
    assert asked.release == replace(SIGNED, wasm=b"")


def test_what_is_said_instead_arrives() -> None:
    """A release that is known, and why there is none."""
    assert parse(unchanged(None, ())) == Same(None, ())
    assert parse(refusal(Refused("why"))) == Refused("why")


@given(st.data())
def test_anything_else_is_garbage(data: st.DataObject) -> None:
    """One bit that is another, what is missing at the end, and whatever is beyond it."""
    place = data.draw(st.integers(0, len(RAW) - 1))
    flipped = bytearray(RAW)
    flipped[place] ^= 1 << data.draw(st.integers(0, 7))
    for broken in (bytes(flipped), RAW[:place], RAW + RAW[:1], data.draw(st.binary())):
        with pytest.raises(GarbageError):
            parse(broken)


def test_tenants_in_one_piece_are_the_same_tenants() -> None:
    """Each as it was, in order, with whose each certificate is and every ceiling; packed again, nothing changes."""
    tenants = SIGNED.tenants
    found = Packed.of(tenants)
    assert found == tenants
    assert [*found] == [*tenants]
    assert found["other"] is found["other"]
    assert found.owners == {name: t.id for t in tenants.values() for name in t.certificates}
    assert found.ceilings == {"UNCLASSIFIED": "other"}
    assert Packed.of(found) is found
    with pytest.raises(KeyError):
        found["nobody"]
    assert Packed.of({}) == {}


WRONG: dict[str, Json] = {
    "ids": ["a"],
    "lengths": [1, 2],
    "owners": {"a": 1},
    "ceilings": [],
}


@pytest.mark.parametrize("name", WRONG)
def test_places_of_another_text_are_refused(name: str) -> None:
    """Too few, too long, or of another type."""
    text, places = packed(SIGNED.tenants)
    Packed(text, json.loads(json.dumps(places)))
    with pytest.raises((ValueError, TypeError)):
        Packed(text, {**places, name: WRONG[name]})
