"""Keys, passwords, and what the United States number: by form, in content as it is sent."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.forms import filled
from gateway.signals import FORMS, Detectors, credentials, us_persons

DETECTORS = Detectors()
LIMIT = 500


async def scores(*texts: str) -> Mapping[str, int | None]:
    return {reading.name: reading.score for reading in await DETECTORS.read(texts)}


TOKENS = ["age", "anthropic", "aws_id", "github", "gitlab", "google", "jwt", "npm", "openai", "pypi", "slack", "stripe"]
KEYS = ["pem_ec", "pem_openssh", "pem_rsa", "slack_hook"]
HARMLESS = ["sha256", "md5", "git", "uuid", "pem_public", "ssh_public"]


@pytest.mark.parametrize("kind", TOKENS + KEYS)
def test_what_has_a_form_of_its_own_is_seen(kind: str) -> None:
    """A token or key that its maker gave a form is a secret wherever it stands."""
    assert credentials.score(filled(f"see {{{{{kind}}}}} here", kind)) == credentials.CERTAIN


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_is_published_is_none(kind: str) -> None:
    """A digest, a public key, an identifier are no secrets."""
    assert credentials.score(filled(f"value: {{{{{kind}}}}}", kind)) == 0


@pytest.mark.parametrize(
    "text",
    [
        "password = Winter#2031",
        'password       = "Nv4-lichtung-Rq"',
        'DB_PASSWORD: "q8!rTz"',
        "the password for the scanner share is Herbst!2023wald",
        "postgres://app:s3cr-Et@db.internal/x",
        "Authorization: Bearer 0123456789abcdef",
        "snmp-server community w1ntermute-rw RW",
        "sshpass -p 'kupferdach_3' scp a b",
        "--account-key rWlXtGwxVT8b0gqzeL3d",
        "api_key=9f8e7d6c5b4a",
    ],
)
def test_a_secret_after_its_label_is_seen(text: str) -> None:
    """A value that looks like a secret and stands where one would is one."""
    assert credentials.score(text) >= LIMIT


@pytest.mark.parametrize(
    "text",
    [
        "password = <YOUR_PASSWORD>",
        "password = ${DB_PASSWORD}",
        "password: str",
        "password = os.environ['DB_PASSWORD']",
        "api_key = get_secret('mail')",
        "the password is required",
        "password: changeme",
        "token: xxxxxxxxxxxx",
        "https://user:pass@host:port/path",
        "a community college newsletter",
        "passwords have 12 characters and expire in 90 days",
        "const pass = data.payload.data.toString();",
    ],
)
def test_a_placeholder_is_none(text: str) -> None:
    """What stands for a secret, explains one, or fetches it is none."""
    assert credentials.score(text) == 0


@pytest.mark.parametrize(
    "text",
    [
        "SSN {{ssn}}",
        "social security number: {{ssn_plain}}",
        "DOB 3/4/1970, {{ssn}}",
        "call her at +1 (202) 555-0143",
        "(415) 555-0143",
        "12 Elk Run, Kalispell, Montana 59901",
        "Springfield, IL 62704",
        "El Paso TX 88510",
        "Alien number A209-664-310",
        "OH driver's license RT 402 118",
        "U.S. passport 561287340",
    ],
)
def test_what_the_united_states_number_is_seen(text: str) -> None:
    """A number or an address of the country shows a US person."""
    assert us_persons.score(filled(text, text)) >= LIMIT


@pytest.mark.parametrize(
    "text",
    [
        "part 412-33-9087 and 412-33-9088",
        "Toronto, 416-555-0129",
        "call 1-2 times a day",
        "M5S 1G4",
        "46.2044, 6.1432",
        "invoice 000-12-3456",
        "no digits at all",
        "the help desk is at (800) 555-0199",
        "THE UNIT COST OR 12000 RIYAL",
        "model ME 26240 in rack CO 42042",
    ],
)
def test_other_numbers_show_nobody(text: str) -> None:
    """Numbers of parts, of other countries, and that nobody was given are no hints, or too weak ones."""
    assert us_persons.score(text) < LIMIT


async def test_words_show_a_us_person() -> None:
    """What says so in words counts, and what says that there is none does not."""
    assert (await scores("He is a US citizen who lives in Dayton."))["us_person"] == 600
    assert (await scores("She was born in Ohio and works at the embassy."))["us_person"] == 550
    assert (await scores("There is no US person in this set, and none is sought."))["us_person"] == 0
    assert (await scores("He is a Jordanian national who lives in Amman."))["us_person"] == 0


@pytest.mark.parametrize("way", ["split", "full width", "zero width", "base64", "entities"])
async def test_disguises_are_undone(way: str) -> None:
    """What the gateway undoes for words it undoes for forms."""
    text = "her SSN is 219-09-9999, she said so herself when we met her at the consulate last week"
    disguised = {
        "split": [text[:16], text[16:]],
        "full width": [text.translate({c: c + 0xFEE0 for c in range(0x30, 0x3A)})],
        "zero width": ["\u200b".join(text)],
        "base64": [base64.b64encode(text.encode()).decode()],
        "entities": [text.replace("9", "&#57;")],
    }[way]
    assert ((await scores(*disguised))["us_person"] or 0) >= LIMIT


async def test_a_long_text_is_looked_at_to_its_end() -> None:
    """A key behind a thousand harmless lines, and one that blanks stand around, are seen."""
    key = filled("{{github}}", "1")
    assert (await scores("a plain line of text\n" * 3_000 + key))["credentials"] == credentials.CERTAIN
    assert (await scores("password" + " " * 12 + "=" + " " * 12 + "q8!rTz-44"))["credentials"] == credentials.LIKELY


async def test_what_a_call_carries_is_looked_at() -> None:
    """A token in the arguments of a tool is content like any other."""
    assert (await scores(json.loads(json.dumps(filled("{{gitlab}}", "2")))))["credentials"] == credentials.CERTAIN


@given(st.text(max_size=300))
def test_no_text_breaks_them(text: str) -> None:
    """Any text has a score from 0 to 1000, and the same one again."""
    for score in (credentials.score, us_persons.score):
        assert 0 <= score(text) == score(text) <= 1000


@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from(TOKENS))
def test_words_around_hide_no_token(before: str, after: str, kind: str) -> None:
    """Whatever stands around a token, apart from it, it is seen."""
    assert credentials.score(filled(f"{before} {{{{{kind}}}}} {after}", kind)) == credentials.CERTAIN


def test_forms_are_signals() -> None:
    """The names are those that the policy has thresholds for."""
    assert FORMS == ("credentials", "us_person")
