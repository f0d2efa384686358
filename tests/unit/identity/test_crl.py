"""Certificate revocation lists: who may sign them, what they may say, and whom they cover."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError, Reason
from gateway.identity import certificate, crl
from tests.support.desk import NOW_US
from tests.support.pki import Authority

AUTHORITY = Authority(NOW_US)
SECOND = Authority(NOW_US, name="second")
OTHER_ISSUER = x509.CertificateIssuer([x509.DNSName("other.example")])
CLIENT = certificate.parse(AUTHORITY.client().certificate)


def cas(*authorities: Authority) -> list[x509.Certificate]:
    return [x509.load_pem_x509_certificate(a.ca.certificate) for a in authorities]


def test_pem_and_der_say_the_same() -> None:
    """A list reads the same in both encodings."""
    pem = AUTHORITY.crl(AUTHORITY.client().certificate)
    der = x509.load_pem_x509_crl(pem).public_bytes(Encoding.DER)
    assert crl.parse(pem, cas(AUTHORITY)) == crl.parse(der, cas(AUTHORITY))


def test_several_lists_cover_several_issuers() -> None:
    """One PEM file may hold a list of each client CA, and each covers its own certificates."""
    both = crl.parse(AUTHORITY.crl() + SECOND.crl(), cas(AUTHORITY, SECOND))
    both.check(CLIENT, NOW_US)
    both.check(certificate.parse(SECOND.client().certificate), NOW_US)


def test_an_issuer_without_a_list_refuses() -> None:
    """Where lists are configured, a certificate that none covers is not known to be good."""
    with pytest.raises(GatewayError) as refused:
        crl.parse(SECOND.crl(), cas(AUTHORITY, SECOND)).check(CLIENT, NOW_US)
    assert refused.value.reason is Reason.IDENTITY_UNAVAILABLE


def test_a_list_ends_with_its_next_update() -> None:
    """A list is good up to the second of nextUpdate and not after it."""
    crls = crl.parse(AUTHORITY.crl(next_update_us=NOW_US), cas(AUTHORITY))
    crls.check(CLIENT, NOW_US + 999_999)
    with pytest.raises(GatewayError) as refused:
        crls.check(CLIENT, NOW_US + 1_000_000)
    assert refused.value.reason is Reason.IDENTITY_UNAVAILABLE


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (SECOND.crl(), "not signed"),
        (Authority(NOW_US).crl(), "not signed"),
        (AUTHORITY.crl() * 2, "two revocation lists"),
        (AUTHORITY.crl() + b"and more", "after the last"),
        (AUTHORITY.crl(extension=x509.DeltaCRLIndicator(1)), "critical"),
        (AUTHORITY.crl(SECOND.ca.certificate, entry_extension=OTHER_ISSUER), "in an entry"),
        (AUTHORITY.crl().replace(b"-----BEGIN", b"-----BEGUN"), "PEM"),
        (b"", "."),
    ],
)
def test_a_list_that_must_not_be_used_is_refused(data: bytes, complaint: str) -> None:
    """Another signer, two lists of one issuer, trailing data, a delta list, an indirect list, no list: ValueError."""
    with pytest.raises(ValueError, match=complaint):
        crl.parse(data, cas(AUTHORITY))


PART = x509.IssuingDistributionPoint(
    full_name=[x509.UniformResourceIdentifier("http://ca.example/1.crl")],
    relative_name=None,
    only_contains_user_certs=False,
    only_contains_ca_certs=False,
    only_some_reasons=None,
    indirect_crl=False,
    only_contains_attribute_certs=False,
)


@pytest.mark.parametrize(
    "given",
    [{"extension": x509.DeltaCRLIndicator(1)}, {"extension": PART}, {"entry_extension": OTHER_ISSUER}],
    ids=["delta", "partition", "indirect"],
)
def test_a_list_of_a_part_is_none_of_all_though_it_does_not_say_that_this_matters(given: dict[str, Any]) -> None:
    """A delta, partitioned or indirect list is refused also where its mark is not critical, as it has to be."""
    with pytest.raises(ValueError, match="part"):
        crl.parse(AUTHORITY.crl(SECOND.ca.certificate, critical=False, **given), cas(AUTHORITY))


def test_a_list_may_have_a_number_and_reasons() -> None:
    """What says nothing of which certificates a list is about does not keep it from being used."""
    reason = x509.CRLReason(x509.ReasonFlags.key_compromise)
    extensions: dict[str, Any] = {"extension": x509.CRLNumber(7), "entry_extension": reason}
    crl.parse(AUTHORITY.crl(SECOND.ca.certificate, critical=False, **extensions), cas(AUTHORITY)).check(CLIENT, NOW_US)


def test_a_ca_that_may_not_sign_lists_signs_none() -> None:
    """The key usage of the CA must allow CRL signatures (RFC 5280 section 4.2.1.3)."""
    leaf = AUTHORITY.client()
    signer = Authority(NOW_US)
    object.__setattr__(signer, "ca", leaf)
    with pytest.raises(ValueError, match="not signed"):
        crl.parse(signer.crl(), cas(signer))


def test_a_ca_without_key_usage_may_sign_lists() -> None:
    """Without the extension a key is not restricted (RFC 5280 section 4.2.1.3)."""
    key = cas(AUTHORITY)[0].public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    crl.parse(AUTHORITY.crl(), [unrestricted_ca(key)]).check(CLIENT, NOW_US)


def test_a_ca_whose_key_can_not_sign_signs_no_list() -> None:
    """A CA with a key for key agreement is a mistake that is told as one."""
    with pytest.raises(ValueError, match="can't be read: TypeError"):
        crl.parse(AUTHORITY.crl(), [unrestricted_ca(x25519.X25519PrivateKey.generate().public_key())])


def test_a_list_without_next_update_is_refused() -> None:
    """A list that never ends could hide what was revoked since."""
    signed = x509.load_pem_x509_crl(AUTHORITY.crl())
    head, _, tail = signed.tbs_certlist_bytes.partition(b"\x17\x0d")
    body = head[2:] + b"\x17\x0d" + tail[:13] + tail[13 + 15 :]  # thisUpdate stays, nextUpdate goes
    tbs = der(0x30, body)
    key = serialization.load_pem_private_key(AUTHORITY.ca.key, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    signature = der(0x03, b"\0" + key.sign(tbs, ec.ECDSA(hashes.SHA256())))
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")  # ecdsa-with-SHA256
    with pytest.raises(ValueError, match="without nextUpdate"):
        crl.parse(der(0x30, tbs + algorithm + signature), cas(AUTHORITY))


def der(tag: int, body: bytes) -> bytes:
    """One DER element of less than 256 bytes."""
    return bytes([tag, len(body)] if len(body) < 128 else [tag, 0x81, len(body)]) + body


def unrestricted_ca(public_key: ec.EllipticCurvePublicKey | x25519.X25519PublicKey) -> x509.Certificate:
    """A certificate under the name of the authority, without key usage."""
    own = cas(AUTHORITY)[0]
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder().subject_name(own.subject).issuer_name(own.subject).public_key(public_key)
    builder = builder.not_valid_before(own.not_valid_before_utc).not_valid_after(own.not_valid_after_utc)
    return builder.serial_number(1).sign(key, hashes.SHA256())


@given(st.binary(max_size=60), st.integers(0, 700), st.booleans())
def test_any_damage_is_a_value_error_or_harmless(junk: bytes, at: int, der: bool) -> None:
    """The parser of lists returns a list or raises ValueError, whatever the bytes."""
    data = AUTHORITY.crl(AUTHORITY.ca.certificate)
    if der:
        data = x509.load_pem_x509_crl(data).public_bytes(Encoding.DER)
    try:
        crls = crl.parse(data[:at] + junk + data[at + len(junk) :], cas(AUTHORITY))
    except ValueError:
        return
    assert crls == crl.parse(data, cas(AUTHORITY))
