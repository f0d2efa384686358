"""The side of those who sign: what is proposed, shown, signed and published."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
from tuf.api.metadata import Metadata, Root
from typer.testing import CliRunner

from gateway import deployment
from gateway.canonical import canonical
from gateway.cli import app
from gateway.cli.release_diff import notes
from gateway.clock import system_us
from gateway.errors import StartError
from gateway.release import keyfiles, staging
from gateway.release.documents import GRANTS, MANIFEST, MODELS, TENANTS
from gateway.release.parts import AGENCY, HOLDERS, PROVIDER, holder_of, target
from gateway.release.repository import Repository
from gateway.types import Price
from gateway.workshop import redlines
from gateway.workshop.build import build
from gateway.workshop.changes import LOOSER, ORDER, STRICTER, changes
from tests.support.releases import ATTRIBUTES, MODEL, TENANT
from tests.support.signing import Signing


@pytest.fixture
def signing(tmp_path: Path) -> Signing:
    """One release."""
    made = Signing.create(tmp_path)
    made.release()
    return made


def test_every_file_is_somebodys() -> None:
    """Tenants and an agency's own rules are the agency's, what was compiled is both's, all else the provider's."""
    assert target("manifest.json") == "manifest.json"
    assert target("policy.wasm") == "policy.wasm"
    assert holder_of("tenants.json") == holder_of("rego/brightline/agency/x/x.rego") == AGENCY
    assert (
        holder_of("models.json")
        == holder_of("grants.json")
        == holder_of("rego/brightline/rules/agency/x/x.rego")
        == PROVIDER
    )


def test_what_broke_off_before_a_root_was_proposed_is_begun_again(tmp_path: Path) -> None:
    """An empty folder for proposals is no repository; one with a root is never begun anew."""
    (tmp_path / "repository/staged").mkdir(parents=True)
    repository = Signing.create(tmp_path).repository
    with pytest.raises(StartError, match="is a repository already"):
        repository.init([], datetime.now(UTC))


def test_nothing_is_published_without_both(signing: Signing) -> None:
    """The tool names who has not signed, and publishes nothing."""
    signing.stage()
    for missing, holder in (("agency and provider", PROVIDER), ("agency", AGENCY)):
        with pytest.raises(StartError, match=f"targets is not signed by {missing} yet"):
            signing.publish()
        signing.sign({holder})
    signing.publish()
    assert signing.client().load().version == 2


def test_a_change_is_shown_against_what_both_signed(signing: Signing) -> None:
    """What one holder published by force is no base to compare with: it would hide what it changed."""
    agreed = signing.repository.agreed()
    wider: Any = {"tenants": [{"id": TENANT.id, "certificates": ["spiffe://x/y"], "attributes": ATTRIBUTES}]}
    signing.stage(tenants=wider)
    signing.force({AGENCY})
    assert signing.repository.agreed() == agreed
    assert signing.repository.files() != agreed


def test_staging_again_drops_signatures(signing: Signing) -> None:
    """A signature is of what was shown: another proposal has none."""
    signing.stage()
    signing.sign()
    signing.stage()
    assert signing.repository.missing("targets") == ["agency", "provider"]


@pytest.mark.parametrize(
    ("was", "now", "direction", "text"),
    [
        ({}, {"requests_per_minute": 5}, STRICTER, "requests_per_minute is 5, it was not bounded"),
        ({"tokens_per_hour": 9}, {"tokens_per_hour": 8}, STRICTER, "tokens_per_hour is 8, it was 9"),
        ({"tokens_per_hour": 8}, {"tokens_per_hour": 9}, LOOSER, "tokens_per_hour is 9, it was 8"),
        ({"tokens_per_hour": 8}, {}, LOOSER, "tokens_per_hour is not bounded, it was 8"),
    ],
)
def test_a_change_of_a_quota_is_told(
    signing: Signing, was: dict[str, int], now: dict[str, int], direction: str, text: str
) -> None:
    """More than before, or no bound any more, is looser; less is stricter."""
    old = signing.client().load()
    before, after = (replace(old, tenants={TENANT.id: replace(TENANT, quotas=quotas)}) for quotas in (was, now))
    assert [(c.direction, c.text) for c in changes(before, after, {}, {})] == [
        (direction, f"tenant {TENANT.id}: {text}")
    ]


@pytest.mark.parametrize(
    ("was", "now", "direction", "text"),
    [
        (None, Price(1, 2), LOOSER, "1 for a million bytes and 2 for a million tokens, it was none"),
        (
            Price(1, 2),
            Price(1, 3),
            STRICTER,
            "1 for a million bytes and 3 for a million tokens, it was 1 for a million",
        ),
        (Price(1, 2), Price(2, 1), LOOSER, "2 for a million bytes and 1 for a million tokens, it was 1 for a million"),
        (Price(1, 2), None, LOOSER, "none, it was 1 for a million bytes and 2 for a million tokens"),
    ],
)
def test_a_change_of_a_price_is_told(
    signing: Signing, was: Price | None, now: Price | None, direction: str, text: str
) -> None:
    """What costs more is stricter, since the tenants' spend is bounded; anything else may let somebody ask for more."""
    old = signing.client().load()
    before, after = (replace(old, models={MODEL.id: replace(MODEL, price=price)}) for price in (was, now))
    (found,) = changes(before, after, {}, {})
    assert found.direction == direction
    assert found.text.startswith(f"model {MODEL.id}: its price is {text}")


def test_publishing_again_after_a_crash(signing: Signing) -> None:
    """Published files without a timestamp that leads to them are no release yet; publishing again completes it."""
    signing.stage()
    signing.sign()
    timestamp = signing.newest("timestamp").read_bytes()
    staged = signing.kept("before")
    signing.publish()
    for path in (staged / "staged").rglob("*"):
        if path.is_file():
            again = signing.repository.folder / path.relative_to(staged)
            again.parent.mkdir(parents=True, exist_ok=True)
            again.write_bytes(path.read_bytes())
    signing.newest("timestamp").write_bytes(timestamp)
    assert signing.client("early").load().version == 1
    signing.publish()
    assert signing.client("late").load().version == 2


def test_a_damaged_file_is_repaired_by_the_same_release(signing: Signing) -> None:
    """A published file that the disk spoilt is whole again once a release that has it is signed and published."""
    for path in (signing.repository.folder / "targets").rglob("*.tenants.json"):
        path.write_bytes(path.read_bytes()[:10])
    with pytest.raises(StartError):
        signing.client("fresh").load()
    signing.release()
    assert signing.client("fresh").load().version == 2


def test_metadata_that_can_not_be_read_is_named(signing: Signing) -> None:
    """Who signs is told which file it is, as of any other."""
    path = signing.repository.folder / "metadata/1.targets.json"
    path.unlink()
    path.mkdir()
    with pytest.raises(StartError, match=r"1\.targets\.json: Is a directory"):
        signing.repository.published("targets")


def test_another_holders_key_is_no_replacement(signing: Signing) -> None:
    """A key goes for one of the same holder."""
    new = signing.key(PROVIDER, "release", "new")
    with pytest.raises(StartError, match="the new key is of provider, the old one of agency"):
        signing.repository.replace_key(
            signing.signer(AGENCY, "release").public_key.keyid, new, signing.now, revoked=False
        )


def tenants(**attributes: Any) -> dict[str, bytes]:
    made = [replace(t, attributes={**t.attributes, **attributes}) for t in deployment.TENANTS[:1]]
    document = {
        "tenants": [{"id": t.id, "certificates": list(t.certificates), "attributes": t.attributes} for t in made]
    }
    return {TENANTS: canonical(document)}


@pytest.mark.parametrize(
    ("attributes", "direction", "says"),
    [
        ({"purposes": ["translation"]}, STRICTER, "purpose removed: "),
        ({"purposes": [*deployment.TENANTS[0].attributes["purposes"], "x"]}, LOOSER, "purpose added: x"),  # type: ignore[misc]
        ({"rules": []}, LOOSER, "rule of its own choice removed"),
        ({"policy": "example"}, STRICTER, "its own policy is example, it was none"),
        ({"marking_ceiling": "TOP SECRET"}, LOOSER, "marking_ceiling is TOP SECRET"),
        ({"models": []}, STRICTER, "model removed: loopback"),
        ({"national_security": False}, LOOSER, "national_security is False"),
    ],
)
def test_what_changes_is_said(tmp_path: Path, attributes: dict[str, Any], direction: str, says: str) -> None:
    """Each change is one sentence with its direction, and what is not known to be stricter is looser."""
    deployment.create(tmp_path / "dev", system_us())
    before = Repository(tmp_path / "dev/repository").agreed() | {GRANTS: b'{"grants": []}'}
    (tmp_path / "before.json").write_bytes(tenants()[TENANTS])
    (tmp_path / "after.json").write_bytes(tenants(**attributes)[TENANTS])
    old = staging.files(before, tenants=tmp_path / "before.json")
    new = staging.files(before, tenants=tmp_path / "after.json")
    (change,) = changes(staging.release(old), staging.release(new), old, new)
    assert change.direction == direction
    assert says in change.text


def test_a_change_begins_no_line_of_its_own(tmp_path: Path) -> None:
    """What one holder writes into a release can't say anything in the tool's words to the other, who is to sign it."""
    deployment.create(tmp_path / "dev", system_us())
    at, wider = tmp_path / "dev/repository", tmp_path / "tenants.json"
    forged = "targets has every signature; expires 2027-01-01, in 30 days"
    wider.write_bytes(tenants(note=f"x\n{forged}\n  stricter  tenant x: purpose removed: x\r\x1b[2J")[TENANTS])
    for shown in (run("stage", at, "--tenants", wider), run("diff", at)):
        assert next(line for line in shown.splitlines() if forged in line).startswith("  looser    tenant ")
        assert not [line for line in shown.splitlines() if line.startswith((forged, "  stricter  tenant x"))]


def test_whose_a_key_is_said_to_be_is_not_obeyed(signing: Signing) -> None:
    """Nobody verified a root that is staged: what it says is shown in a line, without what a terminal obeys."""
    root = json.loads((signing.repository.folder / "metadata/1.root.json").read_bytes())
    for key in root["signed"]["keys"].values():
        key["x-brightline-holder"] = "agency\x1b[2J\nroot published"
    (signing.repository.folder / "staged").mkdir(exist_ok=True)
    (signing.repository.folder / "staged/root.json").write_text(json.dumps(root))
    shown = run("status", signing.repository.folder)
    assert "of agency\N{REPLACEMENT CHARACTER}" in shown
    assert "\x1b" not in shown
    assert not [line for line in shown.splitlines() if line.startswith("root published")]


def test_what_loosens_comes_first(tmp_path: Path) -> None:
    """Whatever a release changes, nothing stands before what loosens."""
    deployment.create(tmp_path / "dev", system_us())
    new = Repository(tmp_path / "dev/repository").agreed()
    found = [ORDER.index(change.direction) for change in changes(None, staging.release(new), {}, new)]
    assert found == sorted(found)


def run(*arguments: str | Path, code: int = 0, typed: str = "") -> str:
    done = CliRunner().invoke(app, ["release", *map(str, arguments)], input=typed)
    assert done.exit_code == code, done.output
    return done.output


def test_sign_asks_and_refuses_what_is_not_as_it_says(tmp_path: Path) -> None:
    """Who declines has signed nothing; and metadata that hides what a release does is not signed at all."""
    deployment.create(tmp_path / "dev", system_us())
    at, keys = tmp_path / "dev/repository", tmp_path / "dev/signers"
    (tmp_path / "tenants.json").write_bytes(tenants(purposes=["x"])[TENANTS])
    assert "looser    tenant northern-logistics: purpose added: x" in run(
        "stage", at, "--tenants", tmp_path / "tenants.json"
    )
    assert "not signed" in run("sign", at, "--key", keys / "agency/release.key", typed="n\n", code=1)
    assert Repository(at).missing("targets") == sorted(HOLDERS)
    said = json.loads(run("diff", at, "--json"))["notes"]
    assert said["effect"]["stricter"] > 0
    made = Repository(at).files(staged=True)
    Repository(at).stage(made, {**said, "changes": []}, Signing.create(tmp_path / "clock").now)
    assert "REFUSED" in run("sign", at, "--key", keys / "agency/release.key", "--yes", code=1)
    assert Repository(at).missing("targets") == sorted(HOLDERS)


@pytest.mark.parametrize("holder", HOLDERS)
def test_what_is_signed_is_what_is_shown(tmp_path: Path, holder: str) -> None:
    """A manifest that names other files than the holders' roles is not signed: one holder could add them alone."""
    deployment.create(tmp_path / "dev", system_us())
    at, keys = tmp_path / "dev/repository", tmp_path / "dev/signers"
    repository, name = Repository(at), {AGENCY: TENANTS, PROVIDER: MODELS}[holder]
    made = staging.files(repository.agreed())
    manifest = json.loads(made[MANIFEST])
    manifest["files"][name] = hashlib.sha256(made[name] + b"\n").hexdigest()
    repository.stage({**made, MANIFEST: canonical(manifest)}, notes(repository.agreed(), made), datetime.now(UTC))
    for other in HOLDERS:
        done = CliRunner().invoke(
            app, ["release", "sign", str(at), "--key", str(keys / other / "release.key"), "--yes"]
        )
        assert f"{name}: is not the file that manifest.json names" in str(done.exception)
    assert repository.missing("targets") == sorted(HOLDERS)


def test_what_is_staged_while_somebody_looks_is_not_signed(tmp_path: Path) -> None:
    """Who is asked signs what was shown, whatever the other holder puts in its place before the answer."""
    deployment.create(tmp_path / "dev", system_us())
    at, keys = tmp_path / "dev/repository", tmp_path / "dev/signers"
    (tmp_path / "tenants.json").write_bytes(tenants(purposes=["x"])[TENANTS])
    run("stage", at)
    wider = staging.files(Repository(at).agreed(), tenants=tmp_path / "tenants.json")
    command = [sys.executable, "-c", "from gateway.cli import main; main()", "release", "sign", at]
    with subprocess.Popen(
        [*command, "--key", keys / "provider/release.key"], stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True
    ) as asked:
        assert asked.stdin is not None
        assert asked.stdout is not None
        shown = ""
        while not shown.endswith("Sign this?") and (letter := asked.stdout.read(1)):
            shown += letter
        assert "nothing changes but dates" in shown
        Repository(at).stage(wider, {}, datetime.now(UTC))
        _, wrong = asked.communicate("y\n", timeout=60)
    assert (asked.returncode, "was changed while you looked" in wrong) == (2, True)
    assert Repository(at).missing("targets") == sorted(HOLDERS)


def test_a_change_is_told_against_what_the_key_that_signs_has_signed(tmp_path: Path) -> None:
    """A made-up root and release, by keys that say they are both holders', hide no change from who signs."""
    deployment.create(tmp_path / "dev", system_us())
    at, keys = tmp_path / "dev/repository", tmp_path / "dev/signers"
    (tmp_path / "tenants.json").write_bytes(tenants(purposes=["x"])[TENANTS])
    forged = Signing.create(tmp_path / "forged")
    wider = staging.files(Repository(at).agreed(), tenants=tmp_path / "tenants.json")
    forged.repository.stage(wider, {}, forged.now)
    forged.sign()
    forged.publish()
    for role in ("root", "targets"):
        (at / f"metadata/9.{role}.json").write_bytes((forged.metadata / f"1.{role}.json").read_bytes())
    shutil.copytree(forged.repository.folder / "targets", at / "targets", dirs_exist_ok=True)
    again = staging.files(wider)
    Repository(at).stage(again, notes(wider, again), forged.now)
    assert "REFUSED" in run("sign", at, "--key", keys / "provider/release.key", "--yes", code=1)


def test_a_made_up_root_hides_no_key_from_who_signs(tmp_path: Path) -> None:
    """A key that comes is shown also where the published root was replaced by one that has it already."""
    deployment.create(tmp_path / "dev", system_us())
    at, keys = tmp_path / "dev/repository", tmp_path / "dev/signers"
    new = Signing(tmp_path, datetime.now(UTC)).key(PROVIDER, "release", "strange")
    old = keyfiles.public(keys / "provider/release.pub").keyid
    Repository(at).replace_key(old, new, datetime.now(UTC), revoked=False)
    root = Metadata[Root].from_file(str(at / "staged/root.json"))
    root.signed.version = 1
    for role in ("targets", "provider"):
        (at / f"staged/{role}.json").unlink()
    (at / "metadata/1.root.json").write_bytes(root.to_bytes())
    assert f"key {new.keyid} of provider comes" in run("sign", at, "--key", keys / "provider/root.key", "--yes")


@pytest.mark.parametrize("command", ["rotate", "revoke"])
def test_a_release_key_is_replaced(tmp_path: Path, command: str) -> None:
    """Another release key takes the place of a lost one by what the commands sign, and gateways believe it. The same
    command again, as after a crash, says that it was done; a rotated key does not pass for a revoked one.
    """
    deployment.create(tmp_path / "dev", system_us())
    at, keys, secret = tmp_path / "dev/repository", tmp_path / "dev/signers", tmp_path / "secret"
    secret.write_text("secret")
    run("keygen", "provider", "--to", tmp_path / "new", "--only", "release", "--passphrase-file", secret)
    old, new = keys / "provider/release.pub", tmp_path / "new/release.pub"
    run(command, at, "--old", old, "--new", new)
    for revoked in (False, True):
        done = command == "revoke" or not revoked
        with pytest.raises(StartError, match="is replaced by .* already" if done else "no role has the key"):
            Repository(at).replace_key(
                keyfiles.public(old).keyid, keyfiles.public(new), datetime.now(UTC), revoked=revoked
            )
    for key in (keys / "provider/root", keys / "agency/root", tmp_path / "new/release", keys / "agency/release"):
        assert "to be signed again" in run("sign", at, "--key", f"{key}.key", "--passphrase-file", secret, "--yes")
    run("publish", at, "--key", keys / "agency/online.key")
    run("verify", at, "--root", tmp_path / "dev/root.json")


@pytest.mark.parametrize(
    "name", ["policy.wasm", "data.json", "rego/brightline/limits/data.yaml", "rego/more/data.json"]
)
def test_a_policy_that_is_not_of_its_sources_is_not_signed(tmp_path: Path, name: str) -> None:
    """What an engine would run is what the sources say: a module or data that nobody could read there is not signed."""
    deployment.create(tmp_path / "dev", system_us())
    at, keys = tmp_path / "dev/repository", tmp_path / "dev/signers"
    agreed = Repository(at).agreed()
    custom = b"\x00\x05\x01x..."  # a section that changes no decision: what it does is not the matter
    made = {**agreed, name: agreed.get(name, b"{}") + (custom if name.endswith("wasm") else b"\n")}
    manifest = json.loads(agreed[MANIFEST])
    manifest["files"][name] = hashlib.sha256(made[name]).hexdigest()
    made[MANIFEST] = canonical(manifest)
    Repository(at).stage(made, notes(agreed, made), datetime.now(UTC))
    found = run("sign", at, "--key", keys / "provider/release.key", "--yes", code=1)
    assert "REFUSED: the staged policy is not what its sources say: " in found
    assert Repository(at).missing("targets") == sorted(HOLDERS)


RED_LINE = "weapon_engage_autonomous"
RULE = f"rego/brightline/rules/red_line/{RED_LINE}/{RED_LINE}.rego"


def staged_policy(folder: Path, name: str, change: Callable[[bytes], bytes]) -> tuple[Path, Path]:
    """A development deployment with a release staged in which a source is another, compiled; repository and keys.

    A source that is not there yet is changed from nothing.
    """
    deployment.create(folder / "dev", system_us())
    at, sources = folder / "dev/repository", folder / "sources"
    for path, raw in {name: b"", **Repository(at).agreed()}.items():
        if path.startswith("rego/") and not path.startswith("rego/release/"):
            (sources / path).parent.mkdir(parents=True, exist_ok=True)
            (sources / path).write_bytes(change(raw) if path == name else raw)
    build(sources / "rego", folder / "built")
    run("stage", at, "--policy", folder / "built", "--renew-self-test")
    return at, folder / "dev/signers/agency/release.key"


@pytest.mark.parametrize(
    ("name", "was", "now", "says"),
    [
        (RULE, b"if not harmless", b"if { not harmless; input.stage }", "it reads differently, or is gone"),
        (
            "rego/brightline/thresholds/data.yaml",
            b"autonomous_targeting: 500",
            b"autonomous_targeting: 501",
            "what it minds needs a higher score: autonomous_targeting",
        ),
        (
            "rego/brightline/decision.rego",
            b"package brightline\n",
            b"package brightline\n\n# another\n",
            "it rests on what reads differently: rego/brightline/decision.rego",
        ),
    ],
)
def test_a_red_line_is_loosened_by_its_name_alone(tmp_path: Path, name: str, was: bytes, now: bytes, says: str) -> None:
    """What may loosen a red line is shown as that, and neither a yes nor --yes signs it: each has to be named."""
    at, key = staged_policy(tmp_path, name, lambda raw: raw.replace(was, now))
    shown = run("diff", at)
    assert f"RED LINE  {RED_LINE} may be looser: {says}" in shown
    named = list(json.loads(run("diff", at, "--json"))["red_lines"])
    words = [word for line in named for word in ("--red-line", line)]
    assert f"REFUSED: red lines may be looser; once you have read how, name them: {' '.join(words)}" in run(
        "sign", at, "--key", key, "--yes", code=1
    )
    assert "not signed" in run("sign", at, "--key", key, typed="y\n" + "y\n" * len(named), code=1)
    assert Repository(at).missing("targets") == sorted(HOLDERS)
    assert "signed targets" in run("sign", at, "--key", key, typed="y\n" + "".join(f"{line}\n" for line in named))
    assert "signed targets" in run("sign", at, "--key", key, "--yes", *words)


def test_a_self_test_that_asks_less_hides_nothing(tmp_path: Path) -> None:
    """The effect is computed with what both signed as the self-test too, and what is gone from it is told as looser."""
    name = "rego/brightline/rules/law/nuclear_employment_human/nuclear_employment_human.rego"
    at, _ = staged_policy(tmp_path, name, lambda raw: raw.replace(b'facts.outside("nuclear")', b"input.stage"))
    agreed = json.loads(Repository(at).agreed()["vectors.json"])
    few = [next(v for v in agreed["vectors"] if v["effect"] == e) for e in ("allow", "deny")]
    (tmp_path / "few.json").write_text(json.dumps({**agreed, "vectors": few}))
    whole = json.loads(run("diff", at, "--json"))["notes"]["effect"]
    run("stage", at, "--policy", tmp_path / "built", "--vectors", tmp_path / "few.json")
    shown = run("diff", at)
    assert whole["looser"] > 0
    assert f"{whole['looser']} of {whole['decisions']} decisions are looser" in shown
    gone = len(agreed["vectors"]) - 2
    assert f"looser    self-test: {gone} of {gone + 2} inputs are gone or others: " in shown


SECRET = b'if input.principal.subject == "somebody"\n'


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        (
            "rego/brightline/rules/red_line/no_harm/no_harm.rego",
            b"package brightline.facts\n\nunheard(_) " + SECRET,
            "it rests on what reads differently: rego/brightline/rules/red_line/no_harm/no_harm.rego",
        ),
        (
            RULE.replace(f"{RED_LINE}.rego", "more.rego"),
            f"package brightline.rules.red_line.{RED_LINE}\n\nharmless ".encode() + SECRET,
            "it reads differently, or is gone",
        ),
    ],
)
def test_a_new_file_is_told_by_its_package(tmp_path: Path, name: str, text: bytes, says: str) -> None:
    """What a new file adds to a red line, or to what all rest on, is told as that, wherever the file lies."""
    at, key = staged_policy(tmp_path, name, lambda _: text)
    shown = run("diff", at)
    assert f"RED LINE  {RED_LINE} may be looser: {says}" in shown
    assert "stricter  rule" not in shown
    assert "REFUSED: red lines may be looser" in run("sign", at, "--key", key, "--yes", code=1)


LAW = "rego/brightline/rules/law/x/x.rego"
FILES = {RULE: b"#   facts: [signals.cbrn]\n", "rego/brightline/decision.rego": b"a"}
RISEN = b'{"brightline":{"thresholds":{"cbrn":501},"tenant_thresholds":{"dod":{}}}}'


@pytest.mark.parametrize(
    ("after", "effect", "looser"),
    [
        ({}, {}, False),
        ({"data.json": b"no data"}, {}, True),
        ({"data.json": RISEN}, {}, True),
        ({"data.json": RISEN.replace(b"501", b"400")}, {}, False),
        ({"data.json": RISEN.replace(b"501", b"500").replace(b'"dod":{}', b'"dod":{"cbrn":900}')}, {}, True),
        ({"data.json": RISEN.replace(b"501", b"400").replace(b'"dod":{}', b'"dod":{"cbrn":500}')}, {}, False),
        ({"data.json": RISEN.replace(b'"cbrn":501', b'"cyber":900')}, {}, True),
        ({RULE: b"other"}, {}, True),
        ({RULE.replace(RED_LINE, "another"): b"package brightline.rules.red_line.another\n"}, {}, False),
        ({LAW: b"package brightline.rules.law.x\n"}, {}, False),
        ({LAW: b"# METADATA\n\n  package  brightline.rules.law.x\r\nx := 1\n"}, {}, False),
        ({LAW: b"package brightline.facts\n"}, {}, True),
        ({LAW: b"package brightline.facts # brightline.rules.law.x\n"}, {}, True),
        ({LAW: b"# package brightline.rules.law.x\npackage brightline.facts\n"}, {}, True),
        ({LAW: b'package brightline.rules["law"].x\n'}, {}, True),
        ({LAW: b""}, {}, True),
        ({"rego/brightline/rules/red_line.x/x.rego": b"package brightline.rules.red_line.x\n"}, {}, True),
        ({"rego/brightline/agency/x/x.rego": b"package brightline.agency.x\n"}, {}, False),
        ({"rego/brightline/agency/x/x.rego": b"package brightline.agency\n"}, {}, True),
        ({"rego/brightline/more/more.rego": b"new"}, {}, True),
        ({}, {"rules": [{"id": RED_LINE, "looser": 1, "stricter": 0}]}, True),
        ({}, {"rules": [{"id": RED_LINE, "looser": 0, "stricter": 1}]}, False),
        ({}, {"rules": [{"id": "purpose_known", "looser": 1, "stricter": 0}]}, False),
    ],
)
def test_what_may_loosen_a_red_line(after: dict[str, bytes], effect: dict[str, Any], looser: bool) -> None:
    """Its text, what it rests on, a higher score for what it minds, or its effect; nothing stricter or another's."""
    before = {**FILES, "data.json": RISEN.replace(b"501", b"500")}
    assert list(redlines.looser(before, {**before, **after}, effect)) == [RED_LINE] * looser


def test_a_file_that_leaves_its_package() -> None:
    """A file that is of another package now, or was, is told as one that all red lines rest on."""
    data, own = {**FILES, "data.json": RISEN}, b"package brightline.rules.law.x\n"
    for old, new in itertools.permutations((own, b"package brightline.facts\n")):
        before, after = {**data, LAW: old}, {**data, LAW: new}
        assert redlines.looser(before, after, {}) == {RED_LINE: f"it rests on what reads differently: {LAW}"}
    assert list(redlines.looser({**data, LAW: b"package brightline.facts\n"}, data, {})) == [RED_LINE]


def test_how_long_what_is_staged_lasts_is_shown(tmp_path: Path) -> None:
    """Who signs sees when each role expires, and in words where it lasts longer than usual, or is over."""
    deployment.create(tmp_path / "dev", system_us())
    at, key, now = tmp_path / "dev/repository", tmp_path / "dev/signers/agency/release.key", datetime.now(UTC)
    made = Repository(at).agreed()
    for days, says in ((180, ", in 179 days\n"), (4000, "in 3999 days; 180 days are usual\n"), (-2, "; EXPIRED ")):
        Repository(at).stage(made, notes(made, made), now, days)
        assert says in run("diff", at)
        assert says in run("sign", at, "--key", key, typed="n\n", code=1)
        assert json.loads(run("diff", at, "--json"))["expires"]["targets"][:4].isdigit()


def test_the_demonstration_of_releases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every outcome is the expected one."""
    monkeypatch.chdir(tmp_path)
    assert "every outcome was the expected one" in run("demo")
