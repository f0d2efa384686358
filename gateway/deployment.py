"""Makes a development deployment in one folder, for `brightline init`, so that everything can be tried out.

It holds both sides of every trust relation, which is why it is for development only. In a real deployment the operator
has neither the CA's key nor the issuer's.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from securesystemslib.signer import Signer

from gateway import release
from gateway.audit import keys
from gateway.audit.sealed.places import create_reviewer_key
from gateway.canonical import Json
from gateway.errors import StartError
from gateway.identity import issue
from gateway.release import keyfiles, staging
from gateway.release.parts import AGENCY, HOLDERS
from gateway.release.repository import DAYS, Repository
from gateway.types import Model, Tenant

ISSUER = "https://issuer.brightline.test"
AUDIENCE = "brightline-gateway"
TRUST_DOMAIN = "brightline.test"
SIGNERS = "signers"
REPOSITORY = "repository"
LASTING = dict.fromkeys(DAYS, 3650)
"""Days. Generous, because a development deployment is thrown away and not renewed."""

STATE = "in_force.json"
"""The file where a gateway of this deployment says what it has in force."""

REVIEWERS = ("ito", "meyer", "okafor")
AGENCY_POLICY = "example"
"""The sample agency policy. One of its rules obliges the gateway to keep content."""


def create(folder: Path, now_us: int, port: int = 0, *, sealed: bool = False, learned: bool = True) -> Path:
    """Make the deployment; return the path of its configuration. Raises StartError if `folder` exists or can't be made.

    sealed: add a store for sealed content, its reviewers' keys, and an agency policy that requires sealing.
    learned: add the learned detector.
    """
    if folder.exists():
        raise StartError(f"{folder}: exists already; choose another folder, or remove it to start over")
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        _fill(draft, now_us, port, sealed=sealed, learned=learned)
        # Crash before the rename: a hidden draft, which the next run removes. Crash after it: a complete deployment.
        draft.rename(folder)
    except OSError as error:
        raise StartError(f"{folder}: cannot be made: {error.strerror}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder / "gateway.toml"


def _fill(draft: Path, now_us: int, port: int, *, sealed: bool, learned: bool) -> None:
    draft.mkdir(parents=True, mode=0o700)
    _certificates(draft, now_us)
    _issuer(draft)
    (draft / "audit").mkdir(mode=0o700)
    audit = draft / "audit"
    keys.create_log_keys(audit / "log.key", "brightline.test/development", audit / "commitment.key")
    tenants = [replace(t, attributes={**t.attributes, "policy": AGENCY_POLICY}) for t in TENANTS] if sealed else TENANTS
    digest = release.create(draft / "release", 1, tenants, MODELS, ())
    _signers(draft)
    publish(draft)
    config = _text("gateway.toml").format(
        port=port, audience=AUDIENCE, issuer=ISSUER, digest=digest, learned=str(learned).lower()
    )
    if sealed:
        _sealed(draft)
        config += _text("sealed.toml")
    (draft / "gateway.toml").write_text(config, encoding="utf-8")


def _sealed(folder: Path) -> None:
    """Make the reviewers' keys, without passphrases, and the key of the log of openings."""
    for name in ("sealed", "sealed/keys", "reviewers"):
        (folder / name).mkdir(mode=0o700)
    for name in REVIEWERS:
        create_reviewer_key(folder / "reviewers" / f"{name}.key", name, b"")
    keys.create_signing_key(folder / "sealed" / "openings.key", "brightline.test/openings")


def _signers(folder: Path) -> None:
    """Make both holders' keys and the root that they sign. Whoever has this folder can sign for both."""
    keys = [
        (name, keyfiles.create(folder / SIGNERS / holder, holder, name, ""))
        for name, who in keyfiles.NAMES.items()
        for holder in who or HOLDERS
    ]
    repository, now = Repository(folder / REPOSITORY), datetime.now(UTC)
    repository.init(keys, now, LASTING)
    for holder in HOLDERS:
        repository.sign(signer(folder, holder, "root"))
    repository.publish(signer(folder, AGENCY, "online"), now, LASTING)
    shutil.copyfile(folder / REPOSITORY / "metadata/1.root.json", folder / "root.json")


def publish(folder: Path) -> None:
    """Sign the folder `release` of a development deployment with both holders' keys, and publish it.

    Raises StartError.
    """
    repository, now = Repository(folder / REPOSITORY), datetime.now(UTC)
    repository.stage(staging.folder(folder / "release"), {}, now, LASTING["targets"])
    for holder in HOLDERS:
        repository.sign(signer(folder, holder, "release"))
    repository.publish(signer(folder, AGENCY, "online"), now, LASTING)


def signer(folder: Path, holder: str, name: str) -> Signer:
    """One key of a holder in a development deployment. name: root, release or online."""
    return keyfiles.signer(str(folder / SIGNERS / holder / f"{name}.key"), str)


def _text(name: str) -> str:
    return (files("gateway") / "assets" / "development" / name).read_text(encoding="utf-8")


def _certificates(folder: Path, now_us: int) -> None:
    ca = issue.create_ca("Brightline development CA", now_us=now_us)
    (folder / "ca.pem").write_bytes(ca.certificate)
    issue.write_private(folder / "ca.key", ca.key)
    server = issue.issue_certificate(ca, usage="server", now_us=now_us, hosts=("localhost", "127.0.0.1"))
    _pair(folder, "server", server)
    for tenant in TENANTS:
        place = folder / "tenants" / tenant.id
        place.mkdir(parents=True)
        _pair(
            place,
            "client",
            issue.issue_certificate(ca, usage="client", now_us=now_us, spiffe_id=tenant.certificates[0]),
        )


def _pair(folder: Path, name: str, pair: issue.Pair) -> None:
    (folder / f"{name}.pem").write_bytes(pair.certificate)
    issue.write_private(folder / f"{name}.key", pair.key)


def _issuer(folder: Path) -> None:
    place = folder / "issuer"
    place.mkdir()
    key = issue.create_token_key()
    issue.write_private(place / "token.key", key)
    (place / "jwks.json").write_bytes(issue.jwks(key))


def _sample(tenant: str, attributes: dict[str, Json]) -> Tenant:
    return Tenant(tenant, (f"spiffe://{TRUST_DOMAIN}/tenant/{tenant}",), attributes)


_FOREVER_MS = 4_102_444_800_000  # 2100-01-01: the samples never expire in practice

_SELECTED = ["ai_only_intel_product", "collateral_damage_estimate", "high_stakes_automated_decision"]

_EVERYBODY = [
    "administrative",
    "general_assistance",
    "logistics_planning",
    "research",
    "software_development",
    "training_education",
    "translation",
]

TENANTS = (
    _sample(
        "northern-logistics",
        {
            "kind": "dod",
            "region": "US",
            "owners": ["US"],
            "national_security": True,
            "policy": "",
            "rules": _SELECTED,
            "purposes": [*_EVERYBODY, "maintenance", "targeting_support"],
            "models": ["loopback"],
            "marking_ceiling": "SECRET//NOFORN",
            "grants": [],
        },
    ),
    _sample(
        "harbor-intelligence",
        {
            "kind": "intelligence",
            "region": "US",
            "owners": ["US"],
            "national_security": True,
            "policy": "",
            "rules": _SELECTED,
            "purposes": [*_EVERYBODY, "intelligence_analysis", "foreign_intelligence_analysis"],
            "models": ["loopback"],
            "marking_ceiling": "TOP SECRET//SI//NOFORN",
            "grants": [
                {
                    "id": "foreign-intelligence-1",
                    "rule": "foreign_intel_analysis",
                    "purposes": ["foreign_intelligence_analysis"],
                    "conditions": [],
                    "not_before": 0,
                    "expires": _FOREVER_MS,
                    "addendum": "sample addendum 1",
                }
            ],
        },
    ),
    _sample(
        "river-health",
        {
            "kind": "civil",
            "region": "US",
            "owners": ["US"],
            "national_security": False,
            "policy": "",
            "rules": _SELECTED,
            "purposes": [*_EVERYBODY, "medical_support", "public_affairs"],
            "models": ["loopback"],
            "marking_ceiling": "CUI",
            "grants": [],
        },
    ),
)

MODELS = (
    Model(
        id="loopback",
        description="Answers from inside the gateway, to try it out. No model is asked.",
        upstream="loopback",
        upstream_model="loopback-1",
        attributes={
            "marking_ceiling": "TOP SECRET//SI//NOFORN",
            "levels": [{"framework": "RSP", "level": "ASL-2"}],
            "safeguards": ["input_classifier", "output_classifier"],
            "report": {"reference": "none: no model is asked", "issued": 0, "expires": _FOREVER_MS},
            "issued": 0,
            "expires": _FOREVER_MS,
            "enclaves": ["development"],
        },
    ),
)
