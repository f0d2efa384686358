"""Records the decisions of a policy as its release's self-test. The computed effect shows what that changes."""

from __future__ import annotations

import json
from pathlib import Path

from gateway.canonical import canonical
from gateway.errors import StartError
from gateway.release import selftest
from gateway.release.documents import VECTORS
from gateway.release.reading import parsed
from gateway.types import Check, Release
from gateway.workshop.deciding import Decide, Made, embedded
from gateway.workshop.policies import opened


def renewed(policy: Path, document: bytes) -> bytes:
    """The self-test with the built policy's decisions about each of its inputs. Raises StartError."""
    with opened(policy) as found, embedded(found.release) as decide:
        return renewed_by(decide, policy, document)


def renewed_by(decide: Decide, policy: Path, document: bytes) -> bytes:
    """The same, with decisions from this engine. policy: its name in errors."""
    value = json.loads(document)
    checks = selftest.checks(str(policy), parsed(policy / VECTORS, document, selftest.Vectors))
    decided = decide([dict(check.input) for check in checks])
    for vector, made in zip(value["vectors"], decided, strict=True):
        if not isinstance(made, str):  # if there is no decision, the gateway's own self-test reports that
            vector["effect"] = made.effect.name.lower()
            vector["rules"] = sorted({rule.id for rule in made.rules})
    return canonical(value) + b"\n"


def failed(release: Release) -> list[Check]:
    """The checks of a release's self-test that its policy fails. Raises StartError."""
    with embedded(release) as decide:
        decided = decide([dict(check.input) for check in release.checks])
    return [check for check, made in zip(release.checks, decided, strict=True) if not _as_said(check, made)]


def _as_said(check: Check, made: Made) -> bool:
    if isinstance(made, str):
        return False
    return made.effect.name.lower() == check.effect and {rule.id for rule in made.rules} == set(check.rules)


def must_pass(release: Release) -> None:
    """Raise StartError that names the failed checks."""
    wrong = failed(release)
    if wrong:
        names = ", ".join(check.id for check in wrong[:5])
        raise StartError(
            f"self-test: {len(wrong)} of {len(release.checks)} inputs are decided otherwise than it says: {names}\n"
            "give the self-test of this policy with --vectors, or write down what it decides with --renew-self-test"
        )
