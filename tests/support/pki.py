"""Certificates and revocation lists for tests, the defective ones named after their defect.

authority = Authority()                       # a CA of its own
good = authority.client("spiffe://agency.example/app")
bad = authority.client_with_two_uris()        # .certificate and .key are PEM
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from gateway.clock import system_us
from gateway.identity.issue import Pair, create_ca, issue_certificate

SPIFFE_ID = "spiffe://agency.example/app"
OTHER_SPIFFE_ID = "spiffe://other.example/app"
HOURS = 3_600_000_000


@dataclass(frozen=True)
class Authority:
    """A certificate authority made for one test. now_us: the time that its certificates are valid around."""

    now_us: int = field(default_factory=system_us)
    name: str = "test authority"
    ca: Pair = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ca", create_ca(self.name, now_us=self.now_us))

    def client(self, spiffe_id: str | None = SPIFFE_ID) -> Pair:
        return issue_certificate(self.ca, usage="client", spiffe_id=spiffe_id, now_us=self.now_us)

    def server(self, hosts: Sequence[str] = ("localhost", "127.0.0.1")) -> Pair:
        return issue_certificate(self.ca, usage="server", hosts=hosts, now_us=self.now_us)

    def expired_client(self) -> Pair:
        return self.certificate([uri(SPIFFE_ID)], begin_us=self.now_us - 48 * HOURS, end_us=self.now_us - HOURS)

    def not_yet_valid_client(self) -> Pair:
        return self.certificate([uri(SPIFFE_ID)], begin_us=self.now_us + HOURS, end_us=self.now_us + 48 * HOURS)

    def client_for_servers_only(self) -> Pair:
        return self.certificate([uri(SPIFFE_ID)], usages=[ExtendedKeyUsageOID.SERVER_AUTH])

    def client_for_any_usage(self) -> Pair:
        return self.certificate([uri(SPIFFE_ID)], usages=[ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])

    def client_without_usage(self) -> Pair:
        return self.certificate([uri(SPIFFE_ID)], usages=None)

    def client_that_is_a_ca(self) -> Pair:
        return self.certificate([uri(SPIFFE_ID)], is_ca=True)

    def client_that_signs_certificates(self) -> Pair:
        return self.certificate([uri(SPIFFE_ID)], key_usages=("digital_signature", "key_cert_sign"))

    def client_that_signs_lists(self) -> Pair:
        return self.certificate([uri(SPIFFE_ID)], key_usages=("digital_signature", "crl_sign"))

    def client_that_signs_nothing(self) -> Pair:
        return self.certificate([uri(SPIFFE_ID)], key_usages=("key_encipherment",))

    def client_of_a_short_rsa_key(self) -> Pair:
        return self.certificate([uri(SPIFFE_ID)], key=rsa.generate_private_key(65537, 1024))  # noqa: S505 - its defect

    def client_of_a_short_curve(self) -> Pair:
        return self.certificate([uri(SPIFFE_ID)], key=ec.generate_private_key(ec.SECP224R1()))

    def client_signed_with_sha1(self) -> Pair:
        """Signed by a CA with an RSA key.

        The library no longer signs with SHA-1, so the algorithm's name is patched in, twice.
        """
        made = self.certificate([uri(SPIFFE_ID)], signed_by=rsa.generate_private_key(65537, 2048))
        der = x509.load_pem_x509_certificate(made.certificate).public_bytes(serialization.Encoding.DER)
        older = der.replace(bytes.fromhex("06092a864886f70d01010b"), bytes.fromhex("06092a864886f70d010105"))
        pem = x509.load_der_x509_certificate(older).public_bytes(serialization.Encoding.PEM)
        return Pair(pem, made.key)

    def client_with_two_uris(self) -> Pair:
        return self.certificate([uri(SPIFFE_ID), uri(OTHER_SPIFFE_ID)])

    def client_with_the_same_uri_twice(self) -> Pair:
        return self.certificate([uri(SPIFFE_ID), uri(SPIFFE_ID)])

    def client_with_nul_in_uri(self) -> Pair:
        return self.certificate([uri(SPIFFE_ID + "\0.evil.example")])

    def client_with_uri(self, text: str) -> Pair:
        return self.certificate([uri(text)])

    def client_without_names(self) -> Pair:
        return self.certificate([])

    def crl(
        self,
        *revoked: bytes,
        issued_us: int | None = None,
        next_update_us: int | None = None,
        extension: x509.ExtensionType | None = None,
        entry_extension: x509.ExtensionType | None = None,
        critical: bool = True,
    ) -> bytes:
        """A PEM revocation list of this CA that names the given PEM certificates. critical: of its extensions."""
        issued = self.now_us - HOURS if issued_us is None else issued_us
        expires = self.now_us + 24 * HOURS if next_update_us is None else next_update_us
        builder = x509.CertificateRevocationListBuilder()
        builder = builder.issuer_name(x509.load_pem_x509_certificate(self.ca.certificate).subject)
        builder = builder.last_update(_time(issued)).next_update(_time(expires))
        if extension is not None:
            builder = builder.add_extension(extension, critical=critical)
        for pem in revoked:
            serial = x509.load_pem_x509_certificate(pem).serial_number
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(_time(issued))
            if entry_extension is not None:
                entry = entry.add_extension(entry_extension, critical=critical)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self._key(), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def certificate(
        self,
        names: Sequence[x509.GeneralName],
        *,
        begin_us: int | None = None,
        end_us: int | None = None,
        usages: Sequence[ObjectIdentifier] | None = (ExtendedKeyUsageOID.CLIENT_AUTH,),
        is_ca: bool = False,
        key_usages: Sequence[str] = ("digital_signature",),
        key: CertificateIssuerPrivateKeyTypes | None = None,
        signed_by: CertificateIssuerPrivateKeyTypes | None = None,
    ) -> Pair:
        """A leaf with any names, period and usages. It is valid if only names are given."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "client")]))
            .issuer_name(x509.load_pem_x509_certificate(self.ca.certificate).subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_time(self.now_us - HOURS if begin_us is None else begin_us))
            .not_valid_after(_time(self.now_us + 24 * HOURS if end_us is None else end_us))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key().public_key()), critical=False)
            .add_extension(_key_usage(*key_usages), critical=True)
        )
        if usages is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(signed_by or self._key(), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        return Pair(
            certificate,
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        )

    def _key(self) -> ec.EllipticCurvePrivateKey:
        key = serialization.load_pem_private_key(self.ca.key, password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key


def two_tiers(now_us: int) -> tuple[Authority, Authority]:
    """A root CA, and an issuing CA below it."""
    tiers: list[Authority] = []
    for name, depth in (("root", 1), ("issuing CA", 0)):
        above, made = (tiers or [None])[-1], Authority(now_us, name)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        key = above._key() if above else made._key()
        issuer = x509.load_pem_x509_certificate(above.ca.certificate).subject if above else subject
        own = made._key().public_key()
        certificate = (
            x509.CertificateBuilder(issuer, subject, own, x509.random_serial_number())
            .not_valid_before(_time(now_us - HOURS))
            .not_valid_after(_time(now_us + 24 * HOURS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=depth), critical=True)
            .add_extension(_key_usage("digital_signature", "key_cert_sign"), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(own), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        object.__setattr__(made, "ca", Pair(certificate.public_bytes(serialization.Encoding.PEM), made.ca.key))
        tiers.append(made)
    return tiers[0], tiers[1]


def uri(text: str) -> x509.UniformResourceIdentifier:
    """A URI name for a SAN. The text may contain NUL and nonsense."""
    return x509.UniformResourceIdentifier(text)


def _key_usage(*usages: str) -> x509.KeyUsage:
    known = (
        "digital_signature",
        "key_cert_sign",
        "crl_sign",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: name in usages for name in known})


def _time(us: int) -> datetime:
    return datetime.fromtimestamp(us // 1_000_000, UTC)
