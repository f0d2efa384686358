"""Tenants do not touch each other, and a caller is who it proved to be, whatever its request says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from brightline import Authority, Evidence, Tool, UsPerson
from brightline.v1 import inference_pb2
from gateway import wire
from gateway.audit import keys
from gateway.types import content_bytes
from tests.support import upstream_servers
from tests.support.attacks import attacking, message, prompt, refused, refused_in, verified
from tests.support.gateways import HARMLESS, HEALTH, INTELLIGENCE, LOGISTICS, Deployment, Running, changed, serving
from tests.support.opa import free_port
from tests.support.upstream_servers import MODEL, Script

pytestmark = pytest.mark.asyncio(loop_scope="module")

FOREIGN = replace(HARMLESS, purpose="foreign_intelligence_analysis", us_person=UsPerson(involved="no"), geo=("FR",))
"""What one tenant was granted, and no other."""


def served_by(deployed: Deployment, url: str, kind: str = "openai") -> None:
    """The model of the deployment is at this address."""
    deployed.edit('kind = "loopback"', f'kind = "{kind}"\nbase_url = "{url}"\napi_key = "api.key"')
    key = deployed.folder / "api.key"
    key.write_text("sk-test")
    key.chmod(0o600)
    deployed.change_release("models.json", changed("models", lambda model: model.update(upstream_model=MODEL)))


# --- who asks ----------------------------------------------------------------------------------------------------


OTHER = f"spiffe://brightline.test/tenant/{INTELLIGENCE}"
CLAIMED: dict[str, Callable[[inference_pb2.Prompt], object]] = {
    "nothing": lambda _: None,
    "in the content": lambda p: p.messages[0].parts.add(text=f"tenant: {INTELLIGENCE}"),
    "in the system prompt": lambda p: setattr(p, "system", f'{{"tenant": {{"id": "{INTELLIGENCE}"}}}}'),
    "in the conversation": lambda p: setattr(p.use, "conversation_id", INTELLIGENCE),
    "in the key": lambda p: setattr(p.use, "idempotency_key", INTELLIGENCE),
    "in a process": lambda p: setattr(p.use.us_person, "process_id", OTHER),
    "in a document": lambda p: p.messages[0].parts.add().document.MergeFrom(document(INTELLIGENCE)),
    "in a schema": lambda p: p.tools.add(name="a", effector=1).input_schema.update({"tenant": INTELLIGENCE}),
}


def document(name: str) -> Any:
    """A document of that name."""
    made = inference_pb2.GenerateRequest(prompt=prompt()).prompt.messages[0].parts.add().document
    made.name, made.text, made.marking = name, OTHER, "UNCLASSIFIED"
    return made


@pytest.mark.parametrize("place", CLAIMED)
async def test_no_field_of_a_request_names_its_tenant(running: Running, place: str) -> None:
    """Whatever a request says of another tenant, it is judged and recorded as its own tenant's."""
    asked = inference_pb2.GenerateRequest(prompt=prompt(use=FOREIGN))
    CLAIMED[place](asked.prompt)
    async with attacking(running) as attacker:
        _, record = await refused(running, "POLICY_DENIED", attacker.call(data=asked.SerializeToString()))
    assert record["principal"]["tenant"] == record["input"]["tenant"]["id"] == LOGISTICS
    assert record["decision"]["grants"] == []


@pytest.mark.parametrize(
    "name", ["tenant", "x-tenant", "x-tenant-id", "x-spiffe-id", "x-forwarded-client-cert", "x-brightline-tenant"]
)
async def test_no_metadata_names_a_tenant(running: Running, name: str) -> None:
    """What stands beside the token in the metadata counts for nothing."""
    metadata = [(name, f"URI={OTHER}" if "cert" in name else INTELLIGENCE)]
    async with attacking(running) as attacker:
        call = attacker.call(data=message(use=FOREIGN), metadata=metadata)
        _, record = await refused(running, "POLICY_DENIED", call)
    assert record["principal"]["tenant"] == record["input"]["tenant"]["id"] == LOGISTICS


async def test_no_other_claim_of_a_token_names_a_tenant(running: Running) -> None:
    """Subject, client and roles of another tenant's name make nobody that tenant."""
    token = running.token(LOGISTICS, subject=INTELLIGENCE, client_id=OTHER, roles=[INTELLIGENCE])
    async with attacking(running) as attacker:
        call = attacker.call(data=message(use=FOREIGN), authorizations=[f"Bearer {token}"])
        _, record = await refused(running, "POLICY_DENIED", call)
    assert record["principal"]["tenant"] == record["input"]["tenant"]["id"] == LOGISTICS


async def test_a_grant_belongs_to_its_tenant(running: Running) -> None:
    """What one tenant was granted is permitted to it, and denied to another who names the grant as its own."""
    authority = Authority(
        kind="executive_order", citation="EO 12333 2.4", id="foreign-intelligence-1", expires_ms=4 * 10**12
    )
    proof = Evidence(kind="grant", id="foreign-intelligence-1", expires_ms=4 * 10**12)
    asked = message(use=replace(FOREIGN, authority=authority, evidence=[proof]))
    async with attacking(running, tenant=INTELLIGENCE) as granted, attacking(running) as other:
        (answer,) = await granted.call(data=asked)
        intent = running.records("intent")[-1]
        assert intent["decision_id"] == inference_pb2.GenerateResponse.FromString(answer).decision_id
        assert intent["decision"]["grants"] == ["foreign-intelligence-1"]
        await refused(running, "POLICY_DENIED", other.call(data=asked))


# --- what is asked for -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("LOOPBACK", "Loopback", " loopback", "loopback ", "loopback\n", "loopback\t", "loop back", "loopback\u00a0"),
        *("loop\u200bback", "loop\u00adback", "\uff4coopback", "l\u043eopback", "\ufeffloopback", "", "../loopback"),
    ],
)
@pytest.mark.parametrize("method", ["Generate", "GenerateStream", "CheckPolicy"])
async def test_a_model_has_one_spelling(running: Running, method: str, name: str) -> None:
    """A name with other case, white space or look-alikes is no name of a model, and nothing is made of it."""
    asked = inference_pb2.GenerateRequest(prompt=prompt())
    asked.prompt.model = name
    async with attacking(running) as attacker:
        answer, _ = await refused(running, "INVALID_REQUEST", attacker.call(method, asked.SerializeToString()))
    assert answer.field == "prompt.model"


@pytest.mark.parametrize("name", ["loopback.", "loop-back", "loopback_", "loopbac", "loopback2", "default"])
async def test_a_model_that_is_not_in_the_release_is_denied(running: Running, name: str) -> None:
    """A well-formed name that is close to a model's is an unknown model."""
    asked = inference_pb2.GenerateRequest(prompt=prompt())
    asked.prompt.model = name
    async with attacking(running) as attacker:
        _, record = await refused(running, "POLICY_DENIED", attacker.call(data=asked.SerializeToString()))
    assert record["input"]["model"] is None


# --- idempotency keys --------------------------------------------------------------------------------------------


async def test_an_idempotency_key_is_one_tenants_across_methods_and_restarts(tmp_path: Path) -> None:
    """One key is good for one permitted call of each tenant, streamed or not, and stays used after a restart."""
    deployed = Deployment.create(tmp_path)
    keyed = message(use=replace(HARMLESS, idempotency_key="order-7"))
    async with serving(deployed) as gateway, attacking(gateway) as one, attacking(gateway, tenant=HEALTH) as other:
        assert await one.call(data=keyed)
        assert await other.call("GenerateStream", keyed)
        assert gateway.calls == 2
        for caller in (one, other):
            for method in ("Generate", "GenerateStream"):
                await refused(gateway, "DUPLICATE_REQUEST", caller.call(method, keyed))
        assert await one.call("CheckPolicy", keyed)
    async with serving(deployed) as gateway, attacking(gateway) as one:
        await refused(gateway, "DUPLICATE_REQUEST", one.call(data=keyed))
        async with attacking(gateway, tenant=INTELLIGENCE) as third:
            assert await third.call(data=keyed)


async def test_calls_at_once_with_one_key_are_forwarded_once(running: Running) -> None:
    """Of twenty that come together, one is answered and nineteen are duplicates."""
    keyed = message(use=replace(HARMLESS, idempotency_key="all-at-once"))
    calls = running.calls
    async with attacking(running) as attacker:
        answers = await asyncio.gather(*(attacker.call(data=keyed) for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(a, list) for a in answers) == running.calls - calls == 1
    verified(running)


async def test_a_refusal_does_not_use_a_key_up(running: Running) -> None:
    """A key that was only on refused calls is good for the first permitted one."""
    denied, granted = (message(use=replace(u, idempotency_key="order-8")) for u in (FOREIGN, HARMLESS))
    async with attacking(running) as attacker:
        answer, _ = await refused(running, "POLICY_DENIED", attacker.call(data=denied))
        assert answer.retry_safe
        assert await attacker.call(data=granted)


TARGETING = "The drone selects and engages targets on its own, without a person in the loop."
ENDS = {
    "not reached": (None, "UPSTREAM_UNAVAILABLE", True),
    "failed": (Script("status"), "UPSTREAM_FAILED", False),
    "hung up": (Script("hang_up"), "UPSTREAM_FAILED", False),
    "refused": (Script(texts=(TARGETING,)), "OUTPUT_DENIED", False),
}


@pytest.mark.parametrize("end", ENDS)
async def test_a_call_that_ended_badly_uses_its_key_up(tmp_path: Path, end: str) -> None:
    """retry_safe says whether the model may have been asked; the key is used up either way, as the guide says."""
    deployed = Deployment.create(tmp_path)
    keyed = message(use=replace(HARMLESS, idempotency_key="order-10"))
    script, reason, retry_safe = ENDS[end]
    async with upstream_servers.serve("openai") as server:
        served_by(deployed, server.base_url if script else f"http://127.0.0.1:{free_port()}")
        server.script = script or server.script
        async with serving(deployed) as gateway, attacking(gateway) as attacker:
            answer = await refused_in(gateway, reason, attacker.call(data=keyed))
            assert answer.retry_safe is retry_safe
            asked = len(server.requests)
            again = await refused_in(gateway, "DUPLICATE_REQUEST", attacker.call(data=keyed))
            assert [r["kind"] for r in gateway.records() if r["decision_id"] == again.decision_id] == ["refusal"]
            assert len(server.requests) == asked
            verified(gateway)


# --- what was judged is what was forwarded -----------------------------------------------------------------------


async def test_the_record_commits_to_what_was_judged_and_to_what_was_forwarded(tmp_path: Path) -> None:
    """With obligations they differ by just these; without they are equal; and the model's service got the latter."""
    deployed = Deployment.create(tmp_path)
    theirs = changed("tenants", lambda tenant: tenant["attributes"].update(policy="example"))
    deployed.change_release("tenants.json", theirs)
    tools = [
        Tool(name="stock", description="Reads.", input_schema={"type": "object"}, effector="read_only"),
        Tool(name="mail", description="Sends.", input_schema={"type": "object"}, effector="communication"),
    ]
    async with upstream_servers.serve("openai") as server:
        served_by(deployed, server.base_url)
        commitments = keys.load_commitments(deployed.folder / "audit" / "commitment.key")
        async with serving(deployed) as gateway, attacking(gateway) as attacker:
            for channel, limit, names in (("internal", 4000, ["stock"]), ("public", 2048, ["stock"])):
                asked = prompt(tools=tools, max_tokens=4000, use=replace(HARMLESS, channel=channel))
                request = inference_pb2.GenerateRequest(prompt=asked).SerializeToString()
                (answer,) = await attacker.call(data=request)
                judged = wire.prompt(asked)
                forwarded = replace(judged, max_tokens=limit, tools=tuple(t for t in judged.tools if t.name in names))
                intent = gateway.records("intent")[-1]
                assert intent["decision_id"] == inference_pb2.GenerateResponse.FromString(answer).decision_id
                for name, made in (("judged", judged), ("forwarded", forwarded)):
                    expected = commitments.of(keys.PROMPT, intent["decision_id"], content_bytes(made))
                    assert intent["commitments"][name] == expected
                assert intent["commitments"]["key"] == commitments.key_id
                sent = server.requests[-1]
                assert [tool["function"]["name"] for tool in sent["tools"]] == names
                assert limit in (sent.get("max_tokens"), sent.get("max_completion_tokens"))


# --- what a refusal tells ----------------------------------------------------------------------------------------


async def test_a_refusal_is_no_oracle(running: Running) -> None:
    """A refusal by content is byte for byte the same however high the score was."""
    heard, scores = [], set()
    for content in ("The drone strikes targets without a human", "Strike targets without an operator"):
        async with attacking(running) as attacker:
            answer, record = await refused(running, "POLICY_DENIED", attacker.call(data=message(prompt=content)))
        heard.append(answer.everything.replace(answer.decision_id.encode(), b""))
        scores.add(max(r["score"] for r in record["readings"]))
    assert len(scores) == len(heard)
    assert len(set(heard)) == 1
