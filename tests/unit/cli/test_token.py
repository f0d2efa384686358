"""`brightline token`, and asking a development deployment: tokens of its issuer, for its tenants, and nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest

from clients.python.tests import scripted
from clients.python.tests.scripted import Scripted, serving
from gateway import deployment
from gateway.clock import system_us
from gateway.errors import StartError
from gateway.identity.issue import Pair, thumbprint
from tests.unit.cli.conftest import Run

TENANT = "northern-logistics"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A development deployment, as `brightline init` makes it."""
    deployment.create(tmp_path / "dev", system_us())
    return tmp_path / "dev"


@pytest.fixture
def running(folder: Path) -> Iterator[Scripted]:
    """A scripted gateway with the deployment's certificates, at the address that the deployment names."""
    pair = Pair((folder / "server.pem").read_bytes(), (folder / "server.key").read_bytes())
    with serving(pair, (folder / "ca.pem").read_bytes()) as gateway:
        (folder / "address").write_text(f"{gateway.target}\n")
        yield gateway


def claims(folder: Path, token: str) -> dict[str, object]:
    """The claims of a token that the deployment's issuer signed."""
    keys = jwt.PyJWKSet.from_json((folder / "issuer" / "jwks.json").read_text())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    audience, issuer = deployment.AUDIENCE, deployment.ISSUER
    return dict(jwt.decode(token, key, algorithms=["ES256"], audience=audience, issuer=issuer))


def test_a_token_is_bound_to_the_tenant_and_its_certificate(run: Run, folder: Path) -> None:
    """The token is the issuer's, names tenant and subject, holds for the minutes asked, and for one certificate."""
    result = run("token", "--deployment", folder, "--tenant", TENANT, "--subject", "analyst-7", "--minutes", 3)
    assert result.exit_code == 0, result.output
    said = claims(folder, result.output.strip())
    certificate = (folder / "tenants" / TENANT / "client.pem").read_bytes()
    assert (said["tenant"], said["sub"], said["cnf"]) == (TENANT, "analyst-7", {"x5t#S256": thumbprint(certificate)})
    assert int(str(said["exp"])) - int(str(said["iat"])) == 180


def test_a_production_deployment_gets_no_token(run: Run, folder: Path) -> None:
    """The profile decides: anything but development is refused, and nothing is printed."""
    path = folder / "gateway.toml"
    text = path.read_text().replace('profile = "development"', 'profile = "production"')
    text = text.replace("reflection = true", "reflection = false").replace('kind = "loopback"', 'kind = "openai"')
    path.write_text(text.replace("# digest =", "digest ="))
    result = run("token", "--deployment", folder, "--tenant", TENANT)
    assert isinstance(result.exception, StartError)
    assert "development profile only" in str(result.exception)
    assert result.output == ""


def test_a_deployment_without_an_issuer_gets_no_token(run: Run, folder: Path) -> None:
    """Where no token issuer is configured the configuration key is named."""
    path = folder / "gateway.toml"
    text = path.read_text()
    path.write_text(text[: text.index("[[identity.issuers]]")] + text[text.index("[release]") :])
    result = run("token", "--deployment", folder, "--tenant", TENANT)
    assert isinstance(result.exception, StartError)
    assert "identity.issuers" in str(result.exception)


@pytest.mark.parametrize("tenant", ["nobody", "", "..", "../tenants/northern-logistics"])
def test_an_unknown_tenant_is_refused(run: Run, folder: Path, tenant: str) -> None:
    """A tenant that the deployment does not have, or a path, is refused with the list of those it has."""
    result = run("token", "--deployment", folder, "--tenant", tenant)
    assert isinstance(result.exception, StartError)
    assert TENANT in str(result.exception)


def test_a_key_that_others_can_read_is_refused(run: Run, folder: Path) -> None:
    """The issuer's key must be its owner's alone."""
    (folder / "issuer" / "token.key").chmod(0o644)
    result = run("token", "--deployment", folder, "--tenant", TENANT)
    assert isinstance(result.exception, StartError)
    assert "chmod 600" in str(result.exception)


def test_a_folder_that_is_no_deployment_is_refused(run: Run, tmp_path: Path) -> None:
    """A folder without a configuration is named, by both commands that take one."""
    for words in (["token"], ["models"]):
        result = run(*words, "--deployment", tmp_path, "--tenant", TENANT)
        assert isinstance(result.exception, StartError)
        assert str(tmp_path) in str(result.exception)


def test_asking_a_deployment_needs_only_its_folder_and_a_tenant(run: Run, folder: Path, running: Scripted) -> None:
    """--deployment and --tenant bring address, certificates and a fresh token for every attempt."""
    running.script(scripted.refuse("OVERLOADED"), scripted.listed("loopback"))
    result = run("models", "--deployment", folder, "--tenant", TENANT, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["models"][0]["id"] == "loopback"
    tokens = [call.authorization[0].removeprefix("Bearer ") for call in running.calls]
    assert [claims(folder, token)["tenant"] for token in tokens] == [TENANT] * 2
    assert len(set(tokens)) == 2


def test_a_deployment_that_is_not_served_says_how_to_start_it(run: Run, folder: Path) -> None:
    """Without an address file the command names the one that starts the gateway."""
    result = run("models", "--deployment", folder, "--tenant", TENANT)
    assert isinstance(result.exception, StartError)
    assert f"brightline serve --config {folder / 'gateway.toml'}" in str(result.exception)
