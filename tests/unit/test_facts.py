"""Facts: from the release and the proof, never from the request where the release speaks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway import facts
from gateway.errors import StartError
from gateway.types import Document, Message, Model, Principal, Prompt, Reading, Release, Stage, Tenant, Text, Tool

PRINCIPAL = Principal("north", "s", "c", ("analyst",), "iss", "jti", "kid", "spiffe://x.test/north", "0" * 64)
USE = {
    "purpose": "logistics_planning",
    "authority": None,
    "marking": "SECRET//NOFORN",
    "autonomy": "none",
    "us_person": {"involved": "no", "basis": "", "process_id": ""},
    "evidence": [],
    "geo": ["US"],
    "volume": {"persons": 3, "records": None},
    "data_origin": "agency_records",
    "channel": "internal",
    "approval_id": "made-up",
    "conversation_id": "",
    "idempotency_key": "",
}
PARTS = (Text("How many?"), Document("a", "b", "CUI"), Document("c", "d", ""), Document("e", "f", "SECRTE"))
PROMPT = Prompt("m1", "", (Message("user", PARTS),), (Tool("aim", "", "{}", "weapon"),), 10, None, USE)
RELEASE = Release(
    digest="d" * 64,
    version=7,
    signers=(),
    revision="r",
    wasm=b"",
    data={},
    tenants={"north": Tenant("north", ("x",), {"kind": "dod", "marking_ceiling": "SECRET//NOFORN"})},
    models={"m1": Model("m1", "", "u", "um", {"marking_ceiling": "CUI"})},
)


def test_facts_come_from_release_proof_and_declaration() -> None:
    """Tenant and model attributes are the release's, with ceilings parsed; markings of documents are their own."""
    known = facts.gather(facts.prepare(RELEASE), PRINCIPAL, PROMPT, 1_800_000_000_123_456, audit_ready=True)
    assert known.input["tenant"] == {
        "id": "north",
        "kind": "dod",
        "marking_ceiling": {"level": 3, "controls": ["NOFORN"]},
    }
    assert known.input["model"] == {"id": "m1", "marking_ceiling": {"level": 1, "controls": []}}
    assert known.input["now"] == 1_800_000_000_123
    assert known.input["release"] == {"digest": "d" * 64, "version": 7, "signers": []}
    request = known.input["request"]
    assert request["marking"] == {"level": 3, "controls": ["NOFORN"]}
    assert [d and d["level"] for d in request["documents"]] == [1, 3, None]
    assert request["tools"] == [{"name": "aim", "effector": "weapon"}]
    assert known.model is RELEASE.models["m1"]


def test_no_attribute_takes_the_place_of_an_identifier() -> None:
    """The tenant and the model that rules see are those that were proved and asked for, whatever their attributes."""
    ceiling = {"marking_ceiling": "CUI", "id": "other"}
    odd = replace(
        RELEASE, tenants={"north": Tenant("north", ("x",), ceiling)}, models={"m1": Model("m1", "", "u", "um", ceiling)}
    )
    known = facts.gather(facts.prepare(odd), PRINCIPAL, PROMPT, 1, audit_ready=True)
    assert [known.input[kind]["id"] for kind in ("tenant", "model")] == ["north", "m1"]


def test_an_approval_is_never_taken_from_the_request() -> None:
    """An approval id that nobody granted is no approval."""
    assert (
        facts.gather(facts.prepare(RELEASE), PRINCIPAL, PROMPT, 0, audit_ready=True).input["request"]["approval"]
        is None
    )


@pytest.mark.parametrize("name", ["M1", " m1", "m1 ", "m2", ""])
def test_another_spelling_of_a_model_is_another_model(name: str) -> None:
    """A model is found by its exact identifier; anything else is unknown, which a rule refuses."""
    known = facts.gather(facts.prepare(RELEASE), PRINCIPAL, replace(PROMPT, model=name), 0, audit_ready=True)
    assert known.model is None
    assert known.input["model"] is None


def test_a_later_stage_has_its_own_signals() -> None:
    """Facts at another stage keep everything but the stage and what the detectors say; unavailable stays null."""
    known = facts.gather(facts.prepare(RELEASE), PRINCIPAL, PROMPT, 0, audit_ready=True)
    later = known.at(Stage.RESPONSE, (Reading("a", "1", 600), Reading("b", "1", None)))
    assert later.input == {
        **known.input,
        "stage": "response",
        "signals": {"a": 600, "b": None},
        "safeguards": ["trusted_user_access", "usage_monitoring"],
    }
    assert known.input["signals"] == {}


@pytest.mark.parametrize("ceiling", ["", "SECRTE", "REL TO USA"])
def test_a_ceiling_that_is_no_banner_refuses_the_start(ceiling: str) -> None:
    """A release whose ceiling can't be understood is not served."""
    broken = replace(RELEASE, models={"m1": Model("m1", "", "u", "um", {"marking_ceiling": ceiling})})
    with pytest.raises(StartError, match=r"models\.json: m1: marking_ceiling"):
        facts.prepare(broken)
