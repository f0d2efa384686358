"""A release loads whole, or the gateway does not start and says which file is wrong."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from gateway import release
from gateway.canonical import Json
from gateway.errors import StartError
from gateway.release import folder
from tests.support import releases
from tests.support.releases import ROOT


def refusal(folder: Path, pinned: str | None = None) -> str:
    with pytest.raises(StartError) as refused:
        release.load(folder, pinned)
    return str(refused.value)


def test_a_release_loads_whole(tmp_path: Path) -> None:
    """What is loaded is what the files say, and the signers are recorded."""
    loaded = releases.load_written(tmp_path)
    assert (loaded.version, loaded.signers, loaded.revision) == (1, ("provider",), releases.REVISION)
    assert loaded.tenants == {"agency": releases.TENANT}
    assert loaded.models == {"loopback": releases.MODEL}
    assert loaded.data == releases.DATA
    assert loaded.wasm.startswith(b"\0asm")


def test_the_digest_depends_on_every_file(tmp_path: Path) -> None:
    """Any other byte in any file, and any other version, gives another digest."""
    content = releases.files()
    digests = {release.load(releases.write(tmp_path / "same", content), None).digest}
    for count, name in enumerate(content):
        changed = {**content, name: content[name] + b"\n"}
        digests.add(release.load(releases.write(tmp_path / str(count), changed), None).digest)
    digests.add(release.load(releases.write(tmp_path / "version", content, version=2), None).digest)
    assert len(digests) == len(content) + 2


def test_the_pinned_digest_is_compared(tmp_path: Path) -> None:
    """The pinned release loads; under another pin it is refused, and both digests are named."""
    digest = releases.load_written(tmp_path).digest
    assert release.load(tmp_path, digest).digest == digest
    assert digest in refusal(tmp_path, "0" * 64)


@pytest.mark.parametrize("name", list(releases.files()))
def test_a_changed_file_is_refused(tmp_path: Path, name: str) -> None:
    """One flipped bit in any file refuses the release and names the file."""
    folder = releases.write(tmp_path, releases.files())
    raw = bytearray((folder / name).read_bytes())
    raw[-1] ^= 1
    (folder / name).write_bytes(raw)
    assert name in refusal(folder)


@pytest.mark.parametrize("name", [*releases.files(), "manifest.json"])
def test_a_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    """A release without one of its files is refused and the file is named."""
    folder = releases.write(tmp_path, releases.files())
    (folder / name).unlink()
    assert name in refusal(folder)


@pytest.mark.parametrize("name", ["policy.wasm", "data.json", "tenants.json", "models.json"])
def test_a_required_file_that_nobody_names_is_refused(tmp_path: Path, name: str) -> None:
    """A manifest can't leave out what every release has."""
    content = releases.files()
    del content[name]
    assert f"{name}: is missing" in refusal(releases.write(tmp_path, content))


@pytest.mark.parametrize("name", ["extra.rego", "rego/extra.rego", ".hidden", "rego/brightline/data.json"])
def test_an_extra_file_is_refused(tmp_path: Path, name: str) -> None:
    """A file that the manifest does not name is refused, wherever it is."""
    folder = releases.write(tmp_path, releases.files())
    (folder / name).write_text("package extra")
    assert f"{name}: is not named" in refusal(folder)


def test_a_link_is_refused(tmp_path: Path) -> None:
    """A link is no file, even when what it points to has the right bytes."""
    folder = releases.write(tmp_path / "release", releases.files())
    (folder / "data.json").rename(tmp_path / "data.json")
    (folder / "data.json").symlink_to(tmp_path / "data.json")
    assert "data.json" in refusal(folder)
    os.mkfifo(folder / "rego" / "pipe")
    assert "no links or devices" in refusal(folder)


@pytest.mark.parametrize(
    "name", ["../outside", "rego/../../outside", "/outside", "rego//rule", "./rule", "a\\b", "a\nb"]
)
def test_a_name_outside_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    """A manifest can't name a file outside its folder, nor one that reads otherwise than it is."""
    named = release.load(releases.write(tmp_path / "release", releases.files()), None)
    manifest = json.loads((tmp_path / "release" / "manifest.json").read_text())
    manifest["files"][name] = named.digest
    (tmp_path / "release" / "manifest.json").write_text(json.dumps(manifest))
    assert "is no path below the release" in refusal(tmp_path / "release")


@pytest.mark.parametrize("path", ["nowhere", "file"])
def test_what_is_no_folder_is_refused(tmp_path: Path, path: str) -> None:
    """A path that is no folder is refused by name."""
    (tmp_path / "file").write_text("x")
    assert "is not a release folder" in refusal(tmp_path / path)


def test_a_release_beyond_the_size_bound_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All files together stay within the bound, and so does the number of files in a folder."""
    written = releases.write(tmp_path, releases.files())
    size = sum(p.stat().st_size for p in written.rglob("*") if p.is_file())
    monkeypatch.setattr(folder, "MAX_BYTES", size)
    assert release.load(written, None).version == 1
    monkeypatch.setattr(folder, "MAX_BYTES", size - 1)
    assert f"larger than {size - 1} bytes" in refusal(written)
    monkeypatch.setattr(folder, "MAX_FILES", 1)
    assert "more than 1 files" in refusal(written)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"format": 2}, "format"),
        ({"format": "1"}, "format"),
        ({"version": 0}, "version"),
        ({"version": "1"}, "version"),
        ({"version": True}, "version"),
        ({"signers": "provider"}, "signers"),
        ({"signers": [""]}, "signers.0"),
        ({"revision": ""}, "revision"),
        ({"revision": "another"}, "data.json: release.revision"),
        ({"surprise": 1}, "surprise"),
        ({"files": []}, "files"),
        ({"files": {"policy.wasm": "AB" * 32}}, "files.policy.wasm"),
    ],
)
def test_a_manifest_of_another_shape_is_refused(tmp_path: Path, changed: dict[str, Json], named: str) -> None:
    """Every key of the manifest is typed strictly, and no other key is accepted."""
    assert named in refusal(releases.write(tmp_path, releases.files(), **changed))


def tenant(**changes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {"id": "agency", "certificates": ["spiffe://agency.example/app"]}
    return {"tenants": [{**plain, "attributes": releases.ATTRIBUTES, **changes}]}


def attributes(**changes: Any) -> dict[str, Any]:
    return tenant(attributes={**releases.ATTRIBUTES, **changes})


def model(**changes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {"id": "m", "description": "", "upstream": "u", "upstream_model": "v"}
    return {"models": [{**plain, "attributes": releases.MODEL.attributes, **changes}]}


@pytest.mark.parametrize(
    ("documents", "named"),
    [
        ({"tenants": []}, "tenants.json"),
        ({"tenants": {}}, "tenants.json: tenants"),
        ({"tenants": {"tenants": [], "more": 1}}, "tenants.json: more"),
        ({"tenants": tenant(id="Agency")}, "tenants.0.id"),
        ({"tenants": tenant(id=7)}, "tenants.0.id"),
        ({"tenants": tenant(certificates=[])}, "tenants.0.certificates"),
        ({"tenants": tenant(certificates=["https://agency.example"])}, "tenants.0.certificates.0"),
        ({"tenants": tenant(certificates=["spiffe://agency.example"])}, "tenants.0.certificates.0"),
        ({"tenants": tenant(certificates=["spiffe://Agency.example/app"])}, "tenants.0.certificates.0"),
        ({"tenants": tenant(certificates=["sha256:" + "AB" * 32])}, "tenants.0.certificates.0"),
        ({"tenants": tenant(surprise=1)}, "tenants.0.surprise"),
        ({"tenants": attributes(kind="friend")}, "tenants.0.attributes.kind"),
        ({"tenants": attributes(policy="a.b")}, "tenants.0.attributes.policy"),
        ({"tenants": attributes(purposes="all")}, "tenants.0.attributes.purposes"),
        ({"tenants": attributes(models=[1])}, "tenants.0.attributes.models.0"),
        ({"tenants": attributes(more={"deep": [None]})}, "null is no fact"),
        ({"tenants": attributes(weight=0.5)}, "not an integer: 0.5"),
        ({"tenants": attributes(weight=2**53)}, "integer out of range"),
        ({"tenants": attributes(é=1)}, "key is not ASCII"),
        ({"models": model(surprise=1)}, "models.0.surprise"),
        ({"models": model(upstream="")}, "models.0.upstream"),
        ({"models": model(attributes={})}, "models.0.attributes.marking_ceiling"),
        (
            {"tenants": attributes(marking_ceiling="SECRET//NOFORN//REL TO USA, GBR")},
            "is not a banner line: NOFORN and REL TO contradict each other; write the one that holds",
        ),
        ({"models": model(attributes={**releases.MODEL.attributes, "marking_ceiling": "secret"})}, "marking_ceiling"),
        ({"data": {}}, "data.json: release"),
        ({"data": {"release": {"revision": releases.REVISION, "more": 1}}}, "data.json: release.more"),
        ({"data": {**releases.DATA, "weight": 0.5}}, "not an integer: 0.5"),
    ],
)
def test_a_document_of_another_shape_is_refused(tmp_path: Path, documents: dict[str, Json], named: str) -> None:
    """Tenants, models and policy data are typed strictly; the file and the place in it are named."""
    assert named in refusal(releases.write(tmp_path, releases.files(**documents)))


def test_the_line_of_a_document_is_named(tmp_path: Path) -> None:
    """Where a document has lines, as one that a person wrote has, the line of the field is said."""
    files = releases.files(tenants={"tenants": [{"id": 5}]})
    files["tenants.json"] = json.dumps(json.loads(files["tenants.json"]), indent=1).encode()
    said = refusal(releases.write(tmp_path, files))
    assert "tenants.json:4: tenants.0.id: " in said
    assert "tenants.json:3: tenants.0.attributes: " in said  # which is not there


def test_attributes_beyond_the_required_ones_reach_the_rules(tmp_path: Path) -> None:
    """An attribute that the gateway does not know is a fact for rules."""
    more: dict[str, Json] = {"limits": {"persons": 5, "names": ["a", True]}}
    loaded = releases.load_written(tmp_path, tenants=attributes(**more))
    assert loaded.tenants["agency"].attributes == {**releases.ATTRIBUTES, **more}


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("tenants.json", b'{"tenants": [], "tenants": []}'),
        ("tenants.json", b'{"tenants": '),
        ("models.json", b'{"models": NaN}'),
        ("models.json", b"\xff"),
        ("models.json", b'{"models": "\\ud800"}'),
        ("data.json", b"[" * 100_000),
        ("data.json", b""),
    ],
)
def test_what_is_no_strict_json_is_refused(tmp_path: Path, name: str, raw: bytes) -> None:
    """Duplicate keys, truncation, NaN, other encodings and endless nesting are refused by file."""
    assert f"{name}: " in refusal(releases.write(tmp_path, {**releases.files(), name: raw}))


def test_a_manifest_with_a_key_twice_is_refused(tmp_path: Path) -> None:
    """Two readers can't see two manifests in one."""
    folder = releases.write(tmp_path, releases.files())
    raw = (folder / "manifest.json").read_bytes()
    (folder / "manifest.json").write_bytes(raw.replace(b'{"files"', b'{"version":9,"files"', 1))
    assert "appears twice" in refusal(folder)


def test_a_certificate_belongs_to_one_tenant(tmp_path: Path) -> None:
    """A certificate that maps to two tenants refuses the start and names both."""
    one, two = (tenant(id=i)["tenants"][0] for i in ("first", "second"))
    text = refusal(releases.write(tmp_path, releases.files(tenants={"tenants": [one, two]})))
    assert "spiffe://agency.example/app is listed for first and for second" in text


def test_an_id_names_one(tmp_path: Path) -> None:
    """Duplicate tenant ids and duplicate model ids refuse the start."""
    other = tenant(certificates=["spiffe://agency.example/other"])["tenants"][0]
    both = {"tenants": [*tenant()["tenants"], other]}
    assert "agency is there twice" in refusal(releases.write(tmp_path / "t", releases.files(tenants=both)))
    twice = {"models": [*model()["models"], *model()["models"]]}
    assert "m is there twice" in refusal(releases.write(tmp_path / "m", releases.files(models=twice)))


def grant(**changes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "id": "g",
        "rule": "loose",
        "purposes": ["summarisation"],
        "conditions": [],
        "not_before": 0,
        "expires": 1,
        "addendum": "a",
    }
    return {**plain, **changes}


def granted(*grants: dict[str, Any], cls: str = "provider_baseline", relaxed_by: str = "grant") -> dict[str, bytes]:
    """The files of a release whose tenant has these grants, and whose policy has the rule `loose`."""
    files = releases.files(grants={"grants": [{**grant, "tenant": "agency"} for grant in grants]})
    source = f"# METADATA\n# custom:\n#   relaxed_by: {relaxed_by}\npackage loose\n".encode()
    return {**files, f"rego/brightline/rules/{cls}/loose/loose.rego": source}


CONDITIONS = [
    {"kind": "label", "params": {"text": "t"}},
    {"kind": "oversight_label", "params": {"text": "t"}},
    {"kind": "record_authority", "params": {"text": "t"}},
    {"kind": "max_tokens", "params": {"limit": 1}},
    {"kind": "remove_tools", "params": {"effectors": ["cyber"]}},
    {"kind": "route", "params": {"model": "small"}},
    {"kind": "seal_content", "params": {"class": "standard"}},
]


@pytest.mark.parametrize("given", [grant(), grant(conditions=CONDITIONS), grant(not_before=1)])
def test_a_grant_loads_where_its_rule_may_be_relaxed(tmp_path: Path, given: dict[str, Any]) -> None:
    """A grant for a rule of the provider's baseline that says so is an attribute of its tenant."""
    loaded = release.load(releases.write(tmp_path / "r", granted(given)), None)
    assert loaded.tenants["agency"].attributes["grants"] == [given]


def test_a_grant_to_nobody_gives_nothing(tmp_path: Path) -> None:
    """A grant to a tenant that the release does not have is no grant of another."""
    given = releases.files(grants={"grants": [grant(tenant="nobody")]})
    loaded = release.load(releases.write(tmp_path / "r", given), None)
    assert loaded.tenants["agency"].attributes["grants"] == []


def test_the_conditions_of_a_grant_are_obligations_of_the_contract() -> None:
    """What a grant may ask in return is what a decision may oblige to, the decision's own kinds excepted."""
    schema = json.loads((ROOT / "rego/schemas/decision.json").read_bytes())
    kinds = schema["properties"]["obligations"]["items"]["properties"]["kind"]["enum"]
    assert {one["kind"] for one in CONDITIONS} == {*kinds} - {"output_marking", "incident"}


@pytest.mark.parametrize(
    ("files", "named"),
    [
        (granted(grant(), cls="red_line"), "grant g: no grant relaxes loose\na grant names one of: none"),
        (granted(grant(), cls="law"), "no grant relaxes loose"),
        (granted(grant(), relaxed_by="nobody"), "no grant relaxes loose"),
        (
            granted(grant(rule="other")),
            "grants.0.rule: agency: grant g: no grant relaxes other\na grant names one of: loose",
        ),
        (granted(grant(), grant()), "grant g is there twice"),
        (
            granted() | releases.files(tenants=attributes(grants=[grant()])),
            "grants stand in grants.json, which",
        ),
        (granted() | releases.files(grants={"grants": [grant()]}), "grants.json: grants.0.tenant: Field required"),
        (granted(grant(purposes=[])), "grants.0.purposes"),
        (granted(grant(expires="never")), "grants.0.expires"),
        (granted(grant(not_before=2)), "expires is before not_before, so it would never hold"),
        (granted(grant(conditions=[{"kind": "label"}])), "grants.0.conditions.0.label.params"),
        (granted(grant(conditions=[{"kind": "shout", "params": {}}])), "grants.0.conditions.0"),
        (granted(grant(conditions=[{"kind": "output_marking", "params": {"text": "CUI"}}])), "grants.0.conditions.0"),
        (granted(grant(conditions=[{"kind": "max_tokens", "params": {"limit": 0}}])), "conditions.0.max_tokens.params"),
        (granted(grant(conditions=[{"kind": "remove_tools", "params": {"effectors": ["gun"]}}])), "params.effectors.0"),
    ],
)
def test_a_grant_for_anything_else_is_refused(tmp_path: Path, files: dict[str, bytes], named: str) -> None:
    """A grant for a red line, a law, a rule that nobody relaxes, under odd conditions, or twice refuses the release."""
    assert named in refusal(releases.write(tmp_path / "r", files))


def test_a_grant_for_an_unknown_rule_is_found_by_its_line(tmp_path: Path) -> None:
    """In a file that people write, the error names the line of the rule, of the second grant as of the first."""
    files = granted(grant(), grant(id="h", rule="other"))
    files["grants.json"] = json.dumps(json.loads(files["grants.json"]), indent=1).encode()
    text = refusal(releases.write(tmp_path / "r", files))
    row = next(n for n, line in enumerate(files["grants.json"].decode().splitlines(), 1) if '"other"' in line)
    assert f"grants.json:{row}: grants.1.rule: agency: grant h: no grant relaxes other" in text


def selecting(*rules: str, cls: str = "agency", selected_by: str = "tenant") -> dict[str, bytes]:
    """The files of a release whose tenant selects these rules, and whose policy has the rule `own`."""
    files = releases.files(tenants=attributes(rules=list(rules)))
    source = f"# METADATA\n# custom:\n#   selected_by: {selected_by}\npackage own\n".encode()
    return {**files, f"rego/brightline/rules/{cls}/own/own.rego": source}


def test_a_tenant_selects_a_rule_that_says_so(tmp_path: Path) -> None:
    """A rule of class agency that tenants select is an attribute of those that did."""
    loaded = release.load(releases.write(tmp_path / "r", selecting("own")), None)
    assert loaded.tenants["agency"].attributes["rules"] == ["own"]


@pytest.mark.parametrize(
    ("files", "named"),
    [
        (selecting("own", cls="law"), "own is no rule that a tenant selects\na tenant selects any of: none"),
        (selecting("own", selected_by="grant"), "own is no rule that a tenant selects"),
        (selecting("other"), "other is no rule that a tenant selects\na tenant selects any of: own"),
        (selecting(""), "rules.0"),
    ],
)
def test_a_selection_of_anything_else_is_refused(tmp_path: Path, files: dict[str, bytes], named: str) -> None:
    """A rule that is everyone's, that nobody selects, or that nobody knows refuses the release by name."""
    assert named in refusal(releases.write(tmp_path / "r", files))


def test_an_empty_policy_is_refused(tmp_path: Path) -> None:
    """A module without bytes, something else than a module, and a policy without sources are no policy."""
    for name, raw in (("empty", b""), ("text", b"package brightline")):
        folder = releases.write(tmp_path / name, {**releases.files(), "policy.wasm": raw})
        assert "the policy is empty" in refusal(folder)
    content = releases.files()
    del content["rego/brightline/decision.rego"]
    assert "the policy is empty" in refusal(releases.write(tmp_path / "sources", content))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A folder where a file belongs is named, not followed."""
    folder = releases.write(tmp_path, releases.files())
    (folder / "manifest.json").unlink()
    (folder / "manifest.json").mkdir()
    assert "manifest.json: cannot be read" in refusal(folder)


def test_a_folder_that_cannot_be_listed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release that the gateway may not list is refused with the system's reason."""
    folder = releases.write(tmp_path, releases.files())

    def denied(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", denied)
    assert "cannot be read: Permission denied" in refusal(folder)
