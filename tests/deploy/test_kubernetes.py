"""deploy/kubernetes and deploy/samples: the manifests are whole, and agree with each other and with the program."""

from __future__ import annotations

import ipaddress
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import kubernetes_validate
import pytest
import yaml

from gateway import config
from gateway.audit import keys
from gateway.cli.doctor import examine
from gateway.worker_slot import _MORE_S
from tests.docs.pages import ROOT, rows
from tests.support.gateways import Deployment
from tests.support.manifests import FOLDER, POD, configured, gateway, manifests, mounts, paths, pod

SAMPLE = ROOT / "deploy/samples/production.toml"
VERSION = "1.32"
LABEL = ("app.kubernetes.io/name", "brightline")

needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


# --- the manifests by themselves ---------------------------------------------------------------------------------


def test_each_manifest_has_the_form_of_its_kind() -> None:
    """Kubernetes knows every field of every manifest, and none is of another type."""
    for manifest in manifests().values():
        kubernetes_validate.validate(manifest, VERSION, strict=True)
    written = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert written == set(yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"])


@needs_kubectl
def test_kustomize_makes_what_is_written() -> None:
    """Rendered, it is the same in the one namespace, with the image and the configuration by their full names."""
    done = subprocess.run(["kubectl", "kustomize", str(FOLDER)], capture_output=True, text=True, check=True, timeout=60)
    made = {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(done.stdout)}
    (settings,) = [one for (kind, _), one in made.items() if kind == "ConfigMap"]
    assert settings["data"] == {"gateway.toml": (FOLDER / "gateway.toml").read_text()}
    assert {one["metadata"].get("namespace", "brightline") for one in made.values()} == {"brightline"}
    for one in made.values():
        kubernetes_validate.validate(one, VERSION, strict=True)
    for key, one in manifests().items():
        assert key[0] == "StatefulSet" or made[key].get("spec") == one.get("spec")
    spec = made["StatefulSet", "brightline"]["spec"]["template"]["spec"]
    images = {container["image"] for container in (*spec["initContainers"], *spec["containers"])}
    assert images == {"registry.agency.example/brightline-gateway:0.1.0"}
    (template,) = [volume for volume in spec["volumes"] if volume["name"] == "template"]
    assert template["configMap"]["name"] == settings["metadata"]["name"]


def test_all_speak_of_the_same_pods() -> None:
    """Services, budget and network policy choose the pods of the StatefulSet by the label that these have."""
    whole = manifests()["StatefulSet", "brightline"]["spec"]
    assert LABEL in whole["template"]["metadata"]["labels"].items()
    chosen = [
        whole["selector"]["matchLabels"],
        *(manifests()["Service", name]["spec"]["selector"] for name in ("brightline", "brightline-gateways")),
        manifests()["PodDisruptionBudget", "brightline"]["spec"]["selector"]["matchLabels"],
        manifests()["NetworkPolicy", "brightline"]["spec"]["podSelector"]["matchLabels"],
        *(one["labelSelector"]["matchLabels"] for one in pod()["topologySpreadConstraints"]),
    ]
    assert all(one == dict([LABEL]) for one in chosen)
    assert whole["serviceName"] == "brightline-gateways"
    assert manifests()["Service", "brightline-gateways"]["spec"]["clusterIP"] == "None"


def test_a_pod_has_no_more_rights_than_it_needs() -> None:
    """It fits the restricted profile of the namespace, writes to volumes alone, and has no token of Kubernetes."""
    enforced = manifests()["Namespace", "brightline"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    assert enforced == "restricted"
    assert pod()["securityContext"]["runAsNonRoot"]
    assert pod()["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in (*pod()["initContainers"], gateway()):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "limits" in container["resources"]
    assert pod()["automountServiceAccountToken"] is False
    assert manifests()["ServiceAccount", pod()["serviceAccountName"]]["automountServiceAccountToken"] is False


# --- the manifests and the program -------------------------------------------------------------------------------


def test_the_configuration_of_a_pod_is_that_of_the_sample(tmp_path: Path) -> None:
    """A pod's log has the name of the pod; else only the store of quotas is not as in the sample for one host."""
    written = configured(tmp_path)
    assert "POD_NAME" not in written.read_text().partition("\n")[2]
    one, other = config.load(written), config.load(SAMPLE)
    assert (one.audit.origin, one.audit.node) == (f"gateway.agency.example/{POD}", POD)
    assert one.quotas.url is not None
    named = {"origin": other.audit.origin, "node": other.audit.node}
    same = {"audit": one.audit.model_copy(update=named), "quotas": other.quotas}
    assert one.model_copy(update=same) == other


def test_each_file_that_is_named_is_mounted(tmp_path: Path) -> None:
    """Each path of the configuration is in a volume, writable where the gateway writes; no volume is left over."""
    used, secret = set(), set()
    for key, path in paths(config.load(configured(tmp_path))).items():
        at = next(place for place in mounts() if path == Path(place) or Path(place) == path.parent)
        used.add(at)
        assert mounts()[at].get("readOnly", False) is not (at == "/var/lib/brightline"), key
        if key.rpartition(".")[2] in ("key", "signing_key", "commitment_key", "api_key", "password_file"):
            assert mounts()[at]["volume"]["secret"]["defaultMode"] == 0o400
            secret.add(at)
    rest = set(mounts()) - used
    assert rest == {"/run/brightline", "/tmp", "/etc/brightline/log/log.key.pub"}  # noqa: S108 - a mount
    assert {at for at in used if "secret" in mounts()[at]["volume"]} == secret
    (claim,) = manifests()["StatefulSet", "brightline"]["spec"]["volumeClaimTemplates"]
    assert claim["metadata"]["name"] == mounts()["/var/lib/brightline"]["name"]


def test_the_page_says_what_has_to_be_there(tmp_path: Path) -> None:
    """Its table has each secret and config map that a pod refers to, with the files that the configuration names."""
    named: dict[str, set[str]] = {}
    for path in (*paths(config.load(configured(tmp_path))).values(), Path("/etc/brightline/log/log.key.pub")):
        mount = mounts().get(str(path)) or mounts()[str(path.parent)]
        volume = mount["volume"]
        if given := volume.get("secret", {}).get("secretName") or volume.get("configMap", {}).get("name"):
            named.setdefault(given, set()).add(mount.get("subPathExpr", path.name).replace("$(POD_NAME)", POD))
    files = r"[\w.-]+\.(?:crt|key|pub|pem|json)\b|api-key|password"
    told = {name: set(re.findall(files, cells)) for name, _, cells in rows("docs/operators-page.md", "In Kubernetes")}
    assert told == named


async def test_with_files_like_those_of_the_volumes_doctor_has_no_complaint(tmp_path: Path) -> None:
    """Given each file that is mounted, under the name that it has there, port, log, metrics and models are ready."""
    deployed = Deployment.another(tmp_path)
    root = tmp_path / "pod"
    kept = {"tls.crt": "server.pem", "tls.key": "server.key", "clients.pem": "ca.pem", "root.json": None}
    settings = configured(tmp_path)
    named = paths(config.load(settings))
    for key, path in named.items():
        there = root / path.relative_to("/")
        there.parent.mkdir(parents=True, exist_ok=True)
        if path.is_relative_to("/etc/brightline") and key not in ("audit.signing_key", "audit.commitment_key"):
            source = kept.get(path.name) or ("server.key" if path.suffix == ".key" else "ca.pem")
            shutil.copyfile(deployed.folder / source, there)
            there.chmod(0o400)
    (root / named["upstreams.api_key"].relative_to("/")).write_text("one-key\n")
    signing, commitment = (root / named[f"audit.{one}"].relative_to("/") for one in ("signing_key", "commitment_key"))
    keys.create_log_keys(signing, f"gateway.agency.example/{POD}", commitment)
    text = settings.read_text().replace('"/etc/', f'"{root}/etc/').replace('"/var/', f'"{root}/var/')
    settings.write_text(text.replace("0.0.0.0:8443", "127.0.0.1:0"))
    findings = {one.check: one for one in await examine(config.load(settings))}
    for check in ("listener", "audit", "metrics"):
        assert findings[check].ok, findings[check].text


def test_ports_are_those_of_the_configuration(tmp_path: Path) -> None:
    """What listens is what containers, services and the network policy speak of."""
    settings = config.load(configured(tmp_path))
    assert settings.metrics is not None
    ports = {port["name"]: port["containerPort"] for port in gateway()["ports"]}
    assert ports == {"grpc": int(settings.listener.address.rpartition(":")[2]), "metrics": settings.metrics.port}
    for name in ("brightline", "brightline-gateways"):
        assert [port["targetPort"] for port in manifests()["Service", name]["spec"]["ports"]] == ["grpc"]
    entrances = manifests()["NetworkPolicy", "brightline"]["spec"]["ingress"]
    assert [port["port"] for entrance in entrances for port in entrance["ports"]] == ["grpc", "metrics"]
    assert all(entrance["from"] for entrance in entrances)


def test_the_gateway_reaches_what_its_configuration_names_and_nothing_else(tmp_path: Path) -> None:
    """One way out for each service, at its port, to an address that nobody has; and to names."""
    settings = config.load(configured(tmp_path))
    urls = [
        *(one.base_url for one in settings.upstreams),
        *(one.jwks_url for one in settings.identity.issuers),
        settings.release.url,
        settings.quotas.url,
    ]
    wanted = [urlsplit(url).port or 443 for url in urls if url]
    names, *ways = manifests()["NetworkPolicy", "brightline"]["spec"]["egress"]
    assert {(port["port"], port["protocol"]) for port in names["ports"]} == {(53, "UDP"), (53, "TCP")}
    assert [port["port"] for way in ways for port in way["ports"]] == wanted
    documented = ipaddress.ip_network("192.0.2.0/24")
    places = [ipaddress.ip_network(to["ipBlock"]["cidr"]) for way in ways for to in way["to"]]
    assert all(place.subnet_of(documented) for place in places)  # type: ignore[arg-type]  # both are of IPv4


def test_there_is_time_for_calls_to_end(tmp_path: Path) -> None:
    """A pod has longer than preStop, the drain and the last records take together."""
    settings = config.load(configured(tmp_path))
    ends_ms = settings.limits.drain_ms + settings.audit.deadline_ms + 1000 * _MORE_S
    ends_ms += 1000 * gateway()["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod()["terminationGracePeriodSeconds"] * 1000 > 2 * ends_ms


@pytest.mark.parametrize("probe", ["startupProbe", "livenessProbe", "readinessProbe"])
def test_probes_are_commands(probe: str) -> None:
    """Each waits longer than its command waits for an answer, and only the readiness probe asks for readiness."""
    said = gateway()[probe]
    program, name, *options = said["exec"]["command"]
    assert (program, name, options[:2]) == ("brightline", "health", gateway()["args"][1:])
    waits = float(options[-1]) if "--timeout" in options else 5
    assert said["timeoutSeconds"] > waits
    assert ("--live" in options) is (probe != "readinessProbe")


def test_each_pod_finds_its_own_keys() -> None:
    """Of the secret with the keys of all logs, a pod is given those that have its name, as keygen calls them."""
    own = {at: mount["subPathExpr"] for at, mount in mounts().items() if "subPathExpr" in mount}
    assert own == {
        f"/etc/brightline/log/{name}": f"$(POD_NAME).{name}" for name in ("log.key", "log.key.pub", "commitment.key")
    }
    assert [one["valueFrom"]["fieldRef"]["fieldPath"] for one in gateway()["env"]] == ["metadata.name"]
