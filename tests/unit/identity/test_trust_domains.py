"""A trust domain that is bound to CAs: no other client CA can issue its names."""

from __future__ import annotations

import pytest

from gateway.config import TrustDomain
from gateway.errors import Reason, StartError
from gateway.identity.issue import Pair
from gateway.types import Credentials
from tests.support.desk import Desk, reason_of
from tests.support.pki import OTHER_SPIFFE_ID, SPIFFE_ID, Authority, two_tiers

DOMAIN = "agency.example"


def bound(desk: Desk, *authorities: Authority) -> tuple[TrustDomain, ...]:
    """The agency's trust domain, whose names these CAs may issue."""
    ca = desk.write("domain.pem", b"".join(a.ca.certificate for a in authorities))
    return (TrustDomain(name=DOMAIN, ca=ca),)


async def tried(desk: Desk, pair: Pair) -> str:
    """The tenant that a certificate proves with a good token, or why it proves none."""
    try:
        return (await desk.prove(desk.issuer.token(pair.certificate), pair.certificate)).tenant
    except Exception as error:  # noqa: BLE001 - the reason is what is compared
        return str(getattr(error, "reason", error))


async def test_another_client_ca_can_not_issue_a_bound_name(desk: Desk) -> None:
    """Of two CAs that TLS trusts, the one that the domain is not bound to proves nobody of it; unbound, it does."""
    other = Authority(desk.now_us, name="another client CA")
    desk.others.append(other)
    assert await tried(desk, other.client(SPIFFE_ID)) == "agency"
    await desk.restart(trust_domains=bound(desk, desk.authority))
    assert await tried(desk, other.client(SPIFFE_ID)) == Reason.CERTIFICATE_INVALID
    assert await tried(desk, desk.client) == "agency"


async def test_a_ca_of_the_same_name_can_not_issue_a_bound_name(desk: Desk) -> None:
    """What counts is the CA's key: another CA with its name proves nobody."""
    await desk.open(trust_domains=bound(desk, desk.authority))
    assert await tried(desk, Authority(desk.now_us).client(SPIFFE_ID)) == Reason.CERTIFICATE_INVALID


async def test_a_domain_that_is_not_bound_is_refused_beside_bound_ones(desk: Desk) -> None:
    """Once a trust domain is bound, names of others are nobody's; a certificate without one is known by its digest."""
    await desk.open(trust_domains=bound(desk, desk.authority))
    assert await tried(desk, desk.authority.client(OTHER_SPIFFE_ID)) == Reason.CERTIFICATE_INVALID
    assert await tried(desk, desk.authority.client(None)) == Reason.TENANT_UNKNOWN


async def test_a_ca_below_is_taken_when_it_is_presented(desk: Desk) -> None:
    """A certificate of a CA below the bound one proves its name with the chain between, and not without."""
    root, issuing = two_tiers(desk.now_us)
    await desk.open(trust_domains=bound(desk, root))
    pair = issuing.client(SPIFFE_ID)
    whole = issuing.ca.certificate
    longest = whole + b"\n" * ((64 << 10) - len(whole))
    for chain, proves in ((whole, True), (longest, True), (longest + b"\n", False), (b"", False), (b"\xff", False)):
        token = desk.issuer.token(pair.certificate)
        credentials = Credentials((pair.certificate,), (f"Bearer {token}",), "127.0.0.1:1", chain)
        assert desk.identity is not None
        if proves:
            assert (await desk.identity.prove(credentials, desk.tenants)).tenant == "agency"
        else:
            proof = desk.identity.prove(credentials, desk.tenants)
            assert await reason_of(proof) is Reason.CERTIFICATE_INVALID


async def test_a_client_is_no_ca(desk: Desk) -> None:
    """A certificate that a client signed with its own key proves nobody, with the client's certificate as its chain."""
    await desk.open(trust_domains=bound(desk, desk.authority))
    leaf = Authority(desk.now_us)
    object.__setattr__(leaf, "ca", desk.client)
    forged = leaf.client(SPIFFE_ID)
    token = desk.issuer.token(forged.certificate)
    credentials = Credentials((forged.certificate,), (f"Bearer {token}",), "127.0.0.1:1", desk.client.certificate)
    assert desk.identity is not None
    assert await reason_of(desk.identity.prove(credentials, desk.tenants)) is Reason.CERTIFICATE_INVALID


async def test_the_cas_of_a_domain_are_read_again(desk: Desk) -> None:
    """A CA that is taken out of the file proves nobody at the next use; a broken file refuses until it is whole."""
    await desk.open(trust_domains=bound(desk, desk.authority))
    assert await tried(desk, desk.client) == "agency"
    bound(desk, Authority(desk.now_us))
    assert await tried(desk, desk.client) == Reason.CERTIFICATE_INVALID
    desk.write("domain.pem", b"no certificate")
    assert await tried(desk, desk.client) == Reason.IDENTITY_UNAVAILABLE
    bound(desk, desk.authority)
    assert await tried(desk, desk.client) == "agency"


async def test_a_domain_without_cas_refuses_the_start(desk: Desk) -> None:
    """A file of CAs that holds none is named."""
    with pytest.raises(StartError, match=r"identity\.trust_domains\.ca: .*domain\.pem"):
        await desk.open(trust_domains=bound(desk))
