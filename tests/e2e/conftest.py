"""One gateway for the tests of a module that leave it as it was; those that change it make their own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.attacks import authority
from tests.support.gateways import Deployment, Running, serving


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """A gateway that revokes by lists, and gives each caller that proved nothing a record of its own."""
    deployed = Deployment.create(tmp_path_factory.mktemp("gateway"))
    (deployed.folder / "revoked.json").write_text("[]")
    (deployed.folder / "crl.pem").write_bytes(authority(deployed).crl())
    deployed.edit("[identity]\n", '[identity]\nrevoked_tokens = "revoked.json"\ncrl = "crl.pem"\n')
    deployed.edit("[audit]\n", "[audit]\nunauthenticated_per_s = 100000\n")
    async with serving(deployed) as gateway:
        yield gateway
