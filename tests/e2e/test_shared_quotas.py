"""Two gateways that count quotas in one store, and what callers see while that is away."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest

from brightline import QuotaExhausted, Unavailable
from tests.e2e.test_activation import ASK
from tests.e2e.test_overload import with_quotas
from tests.support.attacks import verified
from tests.support.gateways import HEALTH, Deployment, Running, serving
from tests.support.valkey import Server, valkey


def sharing(folder: Path, server: Server) -> tuple[Deployment, Deployment]:
    """Two deployments with one release and one store."""
    one = Deployment.create(folder)
    one.change_release("tenants.json", with_quotas(tokens_per_hour=250))
    one.edit("[audit]\n", "[audit]\ndeadline_ms = 60000\n")  # whatever else this machine does
    one.config.write_text(f"{one.config.read_text()}\n{server.section(one.folder)}deadline_ms = 10000\n")
    return one, Deployment(shutil.copytree(one.folder, folder / "another"))


async def served_again(gateway: Running) -> None:
    """Return once a call is served; until then each is refused in the same way."""
    client = gateway.client()
    for _ in range(600):
        try:
            assert (await client.generate(**ASK, max_tokens=1)).text
        except Unavailable as error:
            assert error.reason == "POLICY_UNAVAILABLE"
            await asyncio.sleep(0.1)
        else:
            return
    pytest.fail("no call was served")


async def test_gateways_share_a_quota_and_refuse_while_the_store_is_away(tmp_path: Path) -> None:
    """What one gave out the other does not; without the store nothing is forwarded, and that is on the record."""
    with ExitStack() as life:
        store = life.enter_context(valkey())
        one, two = sharing(tmp_path, store)
        async with serving(one) as here, serving(two) as there:
            assert (await here.client().generate(**ASK, max_tokens=200)).text
            with pytest.raises(QuotaExhausted, match="tokens of this hour"):
                await there.client().generate(**ASK, max_tokens=51)
            assert (await there.client().generate(**ASK, max_tokens=50)).text
            with pytest.raises(QuotaExhausted):
                await here.client().generate(**ASK, max_tokens=1)

            life.close()  # the store is killed
            for gateway in (here, there):
                with pytest.raises(Unavailable, match="quotas can't be counted") as refused:
                    await gateway.client().generate(**ASK, max_tokens=1)
                assert (refused.value.reason, refused.value.retry_safe) == ("POLICY_UNAVAILABLE", True)
                last = gateway.records("refusal")[-1]
                assert (last["decision_id"], last["reason"]) == (refused.value.decision_id, "POLICY_UNAVAILABLE")
                assert (await gateway.client(HEALTH).generate(**ASK)).text  # it has no quota
                assert gateway.calls == 2

            life.enter_context(valkey(store.port))
            for gateway in (here, there):
                await served_again(gateway)
                assert gateway.calls == 3
                verified(gateway)
