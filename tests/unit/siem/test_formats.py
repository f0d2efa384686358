"""Records as events: valid by the schema of OCSF, and unambiguous in CEF whatever a caller wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from brightline_verify.record import Kind
from gateway.canonical import canonical
from gateway.siem import cef, ocsf, syslog
from gateway.siem.event import Event, Severity, parted
from tests.support.logs import record

RED = {"id": "csam", "class": "red_line", "effect": "deny"}
UNREAD = {"name": "child_safety", "version": "1", "score": None}
INCIDENT = {"text": "a text", "aware_at_us": 1, "report_within_hours": 24}


def event(kind: Kind, number: int = 7, **fields: Any) -> Event:
    leaf = json.dumps(json.loads(canonical(record(kind, number))) | fields).encode()
    return Event("log.example/test", number, leaf, json.loads(leaf))


@cache
def schema(uid: int) -> jsonschema.Draft202012Validator:
    """What the public schema demands of a class."""
    classes = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=ocsf.VERSION))
    name = classes.lookup_class_name_from_uid(uid)
    return jsonschema.Draft202012Validator(classes.get_class_schema(name, profiles=["security_control"]))


def problems(made: Mapping[str, Any]) -> list[str]:
    return [f"{e.json_path}: {e.message}" for e in schema(made["class_uid"]).iter_errors(made)]


def minimal(kind: Kind) -> Event:
    """As little as a record of that kind may hold: a crash, or what was left out."""
    made: dict[str, Any] = {key: record(kind, 7)[key] for key in ("v", "kind", "decision_id", "time_us")}
    made |= {"outcome": "outcome_unknown"} if kind is Kind.OUTCOME else {}
    made |= {"counts": {}} if kind is Kind.AGGREGATE else {}
    return Event("log.example/test", 7, b"{}", made)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_is_a_valid_ocsf_event(kind: Kind) -> None:
    """A record of each kind, whole or with as little as it may hold, has the shape that the public schema demands."""
    for of in (event(kind), minimal(kind)):
        assert problems(json.loads(json.dumps(ocsf.event(of)))) == []


def test_the_schema_would_notice() -> None:
    """What the schema does not know, and values that it does not have, are found."""
    made = ocsf.event(event(Kind.REFUSAL))
    assert problems({**made, "verdict": 1})
    assert problems({**made, "action_id": 77})
    assert problems({key: value for key, value in made.items() if key != "actor"})


def test_a_refusal_tells_who_was_denied_what_by_which_rule() -> None:
    """The event has caller, operation, decision, rules, release and the place of the record in the log."""
    made = ocsf.event(event(Kind.REFUSAL, rules=[RED], incidents=[INCIDENT]))
    assert (made["class_uid"], made["type_uid"], made["action_id"], made["disposition_id"]) == (6003, 600399, 2, 2)
    assert made["authorizations"] == [{"decision": "deny", "policy": {"uid": "csam", "type": "red_line"}}]
    assert (made["severity_id"], made["is_alert"], made["status_code"]) == (Severity.CRITICAL, True, "POLICY_DENIED")
    assert made["metadata"]["uid"] == "log.example/test/7"
    assert made["metadata"]["correlation_uid"] == f"{7:032x}"
    assert (made["src_endpoint"]["ip"], made["policy"]["uid"]) == ("127.0.0.1", "ab" * 32)


@pytest.mark.parametrize(
    ("fields", "severity"),
    [
        ({"outcome": "completed"}, Severity.INFORMATION),
        ({"outcome": "refused", "rules": []}, Severity.LOW),
        ({"outcome": "upstream_error"}, Severity.MEDIUM),
        ({"outcome": "refused_output", "rules": [RED]}, Severity.HIGH),
        ({"outcome": "refused_output", "rules": [RED], "judgements": [{"readings": [UNREAD]}]}, Severity.MEDIUM),
        ({"outcome": "completed", "incidents": [INCIDENT]}, Severity.CRITICAL),
    ],
)
def test_severity_grows_with_what_it_means(fields: dict[str, Any], severity: Severity) -> None:
    """A refusal, a failure, what nobody could judge, a red line and an incident are told apart in every format."""
    of = event(Kind.OUTCOME, **fields)
    assert of.severity is severity
    assert ocsf.event(of)["severity_id"] == severity
    assert syslog.message(of, "").startswith(b"<%d>1 " % (13 * 8 + 7 - severity))


TURNING = (0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))
TEXT = st.text(st.characters(codec=None), max_size=30) | st.sampled_from(
    ["a|b\\", "x=1 y=2", "\r\nCEF:0|", "\\n", "=", "\\"]
)


@given(TEXT, TEXT, TEXT)
def test_nothing_that_a_caller_wrote_breaks_a_line_of_cef(subject: str, purpose: str, reason: str) -> None:
    """A reader of CEF gets seven fields and every value back, whatever is in them."""
    principal = {"tenant": "a", "subject": subject, "client_id": "app", "roles": []}
    asked = {"request": {"purpose": purpose}}
    of = event(Kind.REFUSAL, principal=principal, input=asked, reason=reason)
    text = cef.line(of)
    assert text.isprintable() or not re.search(r"[\x00-\x1f\x7f-\x9f]", text)
    head, values = read_cef(text)
    assert (len(head), head[0], head[6]) == (7, "CEF:0", "8")
    assert head[4] == shown(f"refusal:{reason or 'refused'}", in_header=True)
    told = {"suser": subject, "cs4": purpose, "reason": reason}
    assert {name: values.get(name, "") for name in told} == {name: shown(value) for name, value in told.items()}
    assert values["cn1"] == "7"


def test_no_line_of_cef_is_turned_around() -> None:
    """What a caller wrote can't have a reader of events see a line in another order, as on a terminal."""
    turning = "\u202eweapon_engagement\u2066\u200f\u061c"
    of = event(Kind.REFUSAL, input={"request": {"purpose": turning}}, reason=turning)
    assert cef.line(of).isprintable()
    assert "weapon_engagement" in cef.line(of)


@given(st.text(max_size=2000))
def test_a_syslog_message_is_one_frame(text: str) -> None:
    """The length before a message is that of its bytes, so that the next frame begins where it ends."""
    of = event(Kind.REFUSAL, principal={"tenant": "a", "subject": text, "client_id": "app", "roles": []})
    data = syslog.frame(syslog.message(of, cef.line(of)))
    length, _, rest = data.partition(b" ")
    assert int(length) == len(rest)
    assert re.match(rb"<\d{3}>1 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z node-1 brightline - refusal - CEF:0\|", rest)
    assert b"\n" not in rest


def test_long_values_are_cut_and_say_so() -> None:
    """A message stays within what collectors take, and shows where something was left out."""
    long = "x" * 60_000
    made = {"tenant": "a", "subject": long, "client_id": long, "roles": []}
    of = event(Kind.REFUSAL, principal=made, input={"request": {"purpose": long, "model": long}})
    text = cef.line(of)
    assert len(text) < 8192
    assert text.count("…") == 4


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("ipv4:127.0.0.1:9", ("127.0.0.1", 9)),
        ("ipv6:[::1]:80", ("::1", 80)),
        ("ipv6:%5B::1%5D:80", ("::1", 80)),
        ("10.0.0.1:8443", ("10.0.0.1", 8443)),
        ("unix:/tmp/x", None),
        ("example:1", None),
        ("127.0.0.1:99999", None),
        ("", None),
    ],
)
def test_addresses_are_read_as_grpc_writes_them(address: str, expected: tuple[str, int] | None) -> None:
    """An address is IP and port, or nothing."""
    assert parted(address) == expected


def read_cef(text: str) -> tuple[list[str], dict[str, str]]:
    """A line as a reader of the format takes it apart."""
    head, rest, field = [], text, ""
    while len(head) < 7:
        if rest.startswith("\\"):
            field, rest = field + rest[1], rest[2:]
        elif rest.startswith("|"):
            head, field, rest = [*head, field], "", rest[1:]
        else:
            field, rest = field + rest[0], rest[1:]
    parts = re.split(r"(?:^| )(\w+)(?<!\\)=", rest)[1:]
    values = dict(zip(parts[::2], parts[1::2], strict=True))
    return head, {
        key: re.sub(r"\\(.)", lambda m: {"n": "\n", "r": "\r"}.get(m[1], m[1]), v) for key, v in values.items()
    }


def shown(text: str, *, in_header: bool = False) -> str:
    """Text with what CEF can't say replaced."""
    kept = "" if in_header else "\n\r"
    lost = [c for c in map(chr, [*range(32), *range(0x7F, 0xA0), *TURNING, *range(0xD800, 0xE000)]) if c not in kept]
    text = text.translate(dict.fromkeys(map(ord, lost), "\N{REPLACEMENT CHARACTER}"))
    return text if in_header else text.rstrip(" ")
