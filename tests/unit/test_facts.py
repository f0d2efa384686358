"""Facts: from the release and the proof, never from the request where the release speaks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from gateway import facts, marking
from gateway.errors import StartError
from gateway.marking.countries import COUNTRIES
from gateway.types import (
    Document,
    Facts,
    Message,
    Model,
    Principal,
    Prompt,
    Reading,
    Release,
    Stage,
    Standing,
    Tenant,
    Text,
    Tool,
    ToolUse,
)
from gateway.types.facts import UNJUDGED

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
PROMPT = Prompt("m1", "", (Message("user", PARTS),), (Tool("aim", "", "{}", "weapon", ("weapon",)),), 10, None, USE)
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
NOFORN = {"level": 3, "controls": [], "release_to": ["USA"]}
CUI = {"level": 1, "controls": [], "release_to": ["USA", "UNSTATED"]}


def gathered(prompt: Prompt = PROMPT, release: Release = RELEASE, now_us: int = 0) -> Facts:
    """The facts of a request, in an enclave that is cleared for SECRET//NOFORN."""
    attributes = facts.prepare(release, "SECRET//NOFORN", "home")
    return facts.gather(attributes, PRINCIPAL, prompt, prompt.judged(), now_us, audit_ready=True)


def with_markings(*banners: str) -> Prompt:
    """A request with the first banner, and documents with the others."""
    documents = tuple(Document("d", "text", banner) for banner in banners[1:])
    return replace(PROMPT, messages=(Message("user", documents),), use={**USE, "marking": banners[0]})


def test_facts_come_from_release_proof_and_declaration() -> None:
    """Tenant and model attributes are the release's, with ceilings parsed; markings of documents are their own."""
    known = gathered(now_us=1_800_000_000_123_456)
    assert known.input["tenant"] == {
        "id": "north",
        "kind": "dod",
        "marking_ceiling": NOFORN,
    }
    assert known.input["model"] == {"id": "m1", "marking_ceiling": CUI}
    assert known.input["enclave"] == {"name": "home", "marking_ceiling": NOFORN}
    assert known.input["now"] == 1_800_000_000_123
    assert known.input["release"] == {"digest": "d" * 64, "version": 7, "signers": []}
    request = known.input["request"]
    assert request["marking"] == NOFORN
    assert [d and d["level"] for d in request["documents"]] == [1, 3, None]
    assert request["tools"] == [{"name": "aim", "effector": "weapon", "apparent": ("weapon",)}]
    assert known.model is RELEASE.models["m1"]


def test_no_attribute_takes_the_place_of_an_identifier() -> None:
    """The tenant and the model that rules see are those that were proved and asked for, whatever their attributes."""
    ceiling = {"marking_ceiling": "CUI", "id": "other"}
    odd = replace(
        RELEASE, tenants={"north": Tenant("north", ("x",), ceiling)}, models={"m1": Model("m1", "", "u", "um", ceiling)}
    )
    known = gathered(release=odd)
    assert [known.input[kind]["id"] for kind in ("tenant", "model")] == ["north", "m1"]


def test_an_approval_is_never_taken_from_the_request() -> None:
    """An approval id that nobody granted is no approval."""
    assert gathered().input["request"]["approval"] is None


@pytest.mark.parametrize("name", ["M1", " m1", "m1 ", "m2", ""])
def test_another_spelling_of_a_model_is_another_model(name: str) -> None:
    """A model is found by its exact identifier; anything else is unknown, which a rule refuses."""
    known = gathered(replace(PROMPT, model=name))
    assert known.model is None
    assert known.input["model"] is None


def test_a_later_stage_has_its_own_signals() -> None:
    """Facts at another stage keep everything but the stage and what the detectors say; unavailable stays null."""
    known = gathered()
    later = known.at(Stage.RESPONSE, (Reading("a", "1", 600), Reading("b", "1", None)), (("lexical", Standing.LIVE),))
    assert later.input == {
        **known.input,
        "stage": "response",
        "signals": {"a": 600, "b": None},
        "safeguards": {
            "detector.lexical": "live",
            "input_classifier": "silent",
            "output_classifier": "silent",
            "trusted_user_access": "live",
            "usage_monitoring": "live",
        },
    }
    assert known.input["signals"] == {}


@pytest.mark.parametrize(
    ("banners", "output"),
    [
        (("UNCLASSIFIED",), "UNCLASSIFIED"),
        (("UNCLASSIFIED", "", "SECRET//REL TO USA, FVEY"), "SECRET//REL TO USA, FVEY"),
        (("CUI", "SECRET//NOFORN"), "SECRET//CUI//NOFORN"),
        (("SECRET//REL TO USA, FVEY", "SECRET//REL TO USA, GBR, JPN"), "SECRET//REL TO USA, GBR"),
        (("SECRET//REL TO USA, GBR", "SECRET//REL TO USA, JPN"), "SECRET//NOFORN"),
        (
            ("TOP SECRET//SI//NOFORN", "SECRET//TK//NOFORN", "CONFIDENTIAL", "CUI//SP-CTI", "UNCLASSIFIED//FISA"),
            "TOP SECRET//SI/TK//CUI//SP-CTI//NOFORN/FISA",
        ),
        (("UNCLASSIFIED", "SECRTE"), None),
        (("CUI", "UNCLASSIFIED//FISA"), None),
    ],
)
def test_the_output_is_marked_with_the_highest(banners: tuple[str, ...], output: str | None) -> None:
    """What is made of request and documents has their highest marking; none where one is odd or none says it all."""
    marked = gathered(with_markings(*banners)).input["request"]["output_marking"]
    assert (marked and marked["banner"]) == output


def test_what_the_content_bears_is_marked_as_a_document_is() -> None:
    """A banner line in any text counts beside the declared markings, once, and raises the marking of the output."""
    texts = (Text("Plan:\nTOP SECRET//NOFORN\n(S//NF) The convoy."), Document("a", "TOP SECRET//NOFORN", ""))
    use = ToolUse("1", "note", json.dumps({"q": "x\n(TS//NF) More."}))
    prompt = replace(PROMPT, messages=(Message("user", texts), Message("assistant", (use,))))
    request = gathered(prompt).input["request"]
    assert isinstance(request, Mapping)
    top = {"level": 4, "controls": [], "release_to": ["USA"]}
    assert request["marking"] == NOFORN
    assert request["documents"] == [NOFORN, NOFORN, top]
    assert request["output_marking"] == {"banner": "TOP SECRET//NOFORN", **top}


def test_more_markings_than_can_be_looked_at_are_not_understood() -> None:
    """Content with very many different banner lines has no marking that a rule could believe."""
    lines = "\n".join(f"CUI//REL TO USA, {country}" for country in COUNTRIES)
    assert len({marking.write(m) for m in marking.borne(lines)}) > facts._MOST
    request = gathered(replace(PROMPT, messages=(Message("user", (Text(lines),)),))).input["request"]
    assert isinstance(request, Mapping)
    assert (request["documents"], request["output_marking"]) == ([None], None)


def test_more_that_looks_like_a_marking_than_can_be_read_is_not_understood() -> None:
    """Reading holds up every other call: content with thousands of garbled marks is refused before they are read."""
    lines = "\n".join(f"SECRET//{number}" for number in range(facts._MARKS + 1))
    request = gathered(replace(PROMPT, messages=(Message("user", (Text(lines),)),))).input["request"]
    assert isinstance(request, Mapping)
    assert (request["documents"], request["output_marking"]) == ([None], None)


@pytest.mark.parametrize("text", ["\ufeffSECRET//NOFORN\nA", "\xa0SECRET//NOFORN\xa0", "SECRET//NO\u200bFORN\xad"])
def test_what_nobody_sees_hides_no_marking(text: str) -> None:
    """A banner line counts as it is seen: without marks of byte order, with any blanks, without zero width."""
    request = gathered(replace(PROMPT, messages=(Message("user", (Text(text),)),))).input["request"]
    assert isinstance(request, Mapping)
    assert request["documents"] == [NOFORN]


@pytest.mark.parametrize(
    ("banners", "remark"),
    [
        (("SECRET",), ""),
        (
            ("SECRET//NOFORN/REL TO USA, GBR",),
            "use.marking: group 2, dissemination controls: NOFORN and REL TO contradict",
        ),
        (("SECRET", "", "hunter2"), "marking of document 2: a banner line is written in capitals"),
    ],
)
def test_a_caller_is_told_what_is_wrong_with_a_marking(banners: tuple[str, ...], remark: str) -> None:
    """The remark names the first marking that is not understood, and says what is wrong; it repeats nothing of it."""
    found = gathered(with_markings(*banners)).remark
    assert found.startswith(remark)
    assert bool(found) == bool(remark)
    assert "hunter2" not in found


@pytest.mark.parametrize(("agreed", "said"), [([USE["purpose"]], False), (["hunter2"], True), ([], True)])
def test_a_caller_is_told_that_the_purpose_is_not_agreed(agreed: list[str], said: bool) -> None:
    """Many rules refuse a misspelled purpose, so the refusal says what is wrong; it lists no purposes."""
    tenant = RELEASE.tenants["north"]
    release = replace(RELEASE, tenants={"north": replace(tenant, attributes={**tenant.attributes, "purposes": agreed})})
    remark = gathered(release=release).remark
    assert remark.startswith("use.purpose: is none of the purposes agreed for the tenant") is said
    assert "hunter2" not in remark


@pytest.mark.parametrize("banner", ["SECRET", "hunter2"])
@pytest.mark.parametrize("score", [0, None])
def test_a_caller_is_told_that_content_was_not_judged(banner: str, score: int | None) -> None:
    """A refusal says that a detector has no score of this stage's content, after what is wrong with a marking."""
    known = gathered(with_markings(banner))
    unread = known.at(Stage.REQUEST, (Reading("a", "1", None),), ())
    found = unread.at(Stage.RESPONSE, (Reading("a", "1", 900), Reading("b", "1", score)), ()).told("no")
    assert found == "; ".join(filter(None, ("no", known.remark, UNJUDGED if score is None else "")))
    assert ("could not be judged" in found) is (score is None)


@pytest.mark.parametrize(
    ("ceiling", "said"),
    [
        ("", "begins with UNCLASSIFIED, CUI"),
        ("SECRTE", "begins with UNCLASSIFIED, CUI"),
        ("SECRET//NOFORN/REL TO USA, GBR", "NOFORN and REL TO contradict each other"),
        ("SECRET//NOFORN//REL TO USA, GBR", "NOFORN and REL TO contradict each other"),
        ("SECRET//NF", "NOT RELEASABLE TO FOREIGN NATIONALS"),
    ],
)
def test_a_ceiling_that_is_no_banner_refuses_the_start(ceiling: str, said: str) -> None:
    """A gateway whose ceiling can't be understood does not serve; it says which, what is wrong, what is accepted."""
    attributes = {"marking_ceiling": ceiling}
    for where, broken, enclave in (
        ("models.json: m1: ", replace(RELEASE, models={"m1": Model("m1", "", "u", "um", attributes)}), "CUI"),
        ("tenants.json: north: ", replace(RELEASE, tenants={"north": Tenant("north", ("x",), attributes)}), "CUI"),
        ("", RELEASE, ceiling),
    ):
        with pytest.raises(StartError) as refused:
            facts.prepare(broken, enclave, "home")
        assert str(refused.value).startswith(f'{where}marking_ceiling: "{ceiling}" is not a banner line: ')
        assert said in str(refused.value)
