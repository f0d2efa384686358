"""`brightline ask`, `check` and `models` against a scripted gateway: what is sent, printed and exited with."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import grpc
import pytest

from brightline import Autonomy, BrightlineError, Channel, DataOrigin, Involvement
from brightline.v1 import inference_pb2 as pb
from brightline.v1 import message_pb2, use_context_pb2
from clients.python.tests import scripted
from clients.python.tests.scripted import APPEAL, DECISION, RULE, TOKEN, Scripted
from gateway import wire
from gateway.cli import show
from gateway.errors import Reason
from tests.unit.cli.conftest import Run

USE = ["--use", "logistics_planning", "--marking", "UNCLASSIFIED", "--model", "general"]
EXIT = {
    "POLICY_DENIED": 1,
    "OUTPUT_DENIED": 1,
    "APPROVAL_REQUIRED": 1,
    "RELEASE_NOT_IN_FORCE": 1,
    "APPROVAL_INVALID": 1,
    "INVALID_REQUEST": 2,
    "PART_UNREADABLE": 2,
    "DEADLINE_REQUIRED": 2,
    "REQUEST_TOO_LARGE": 2,
    "METHOD_UNKNOWN": 2,
    "DUPLICATE_REQUEST": 2,
    "CERTIFICATE_INVALID": 3,
    "TENANT_UNKNOWN": 3,
    "TOKEN_MISSING": 3,
    "TOKEN_INVALID": 3,
    "TOKEN_EXPIRED": 3,
    "CREDENTIAL_REVOKED": 3,
    "TOKEN_NOT_BOUND": 3,
    "TENANT_MISMATCH": 3,
    "TOKEN_REPLAYED": 3,
}


def test_an_answer_is_printed_outcome_first(run: Run, gateway: Scripted, reach: list[str]) -> None:
    """The first line says that it was permitted and by which decision; the answer follows; the exit code is 0."""
    gateway.script(scripted.answer("Three [bold]trucks[/bold]."))
    result = run("ask", "Plan a convoy.", *USE, *reach)
    lines = result.output.splitlines()
    assert result.exit_code == 0, result.output
    assert lines[0] == f"PERMITTED  decision {DECISION}"
    assert "  added by the policy: label AI generated" in lines
    assert "Three [bold]trucks[/bold]." in lines
    assert lines[-1] == "end, 7 tokens read, 5 written"


def test_a_refusal_is_printed_with_all_that_helps(run: Run, gateway: Scripted, reach: list[str]) -> None:
    """Outcome, rule id, title, sources, remedy, decision id and where to appeal, in that order; the exit code is 1."""
    gateway.script(scripted.refuse("POLICY_DENIED", "the policy does not permit this use", rules=(RULE,)))
    result = run("ask", "x", *USE, *reach)
    assert result.exit_code == 1
    assert result.output.splitlines()[0] == "REFUSED  the policy does not permit this use"
    wanted = [
        f"  {RULE.id} (red_line, deny)",
        f"    {RULE.title}",
        "    rests on  DoDD 3000.09 (second hand)",
        f"    remedy    {RULE.remedy}",
        "  reason    POLICY_DENIED",
        f"  decision  {DECISION}",
        f"  appeal    {APPEAL}",
    ]
    places = [result.output.index(line) for line in wanted]
    assert places == sorted(places)


def test_rules_that_did_not_fit_are_counted(run: Run, gateway: Scripted, reach: list[str]) -> None:
    """When a refusal names only some of its rules, it says how many more there are."""
    rules = tuple(replace(RULE, id=f"rule_{i}", remedy="r" * 500) for i in range(30))
    gateway.script(scripted.refuse("POLICY_DENIED", rules=rules))
    output = run("ask", "x", *USE, *reach).output
    said = re.search(r"  and (\d+) more rules; the record names them all", output)
    assert said is not None
    assert output.count("  remedy  ") + int(said[1]) == 30


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_its_exit_code(run: Run, gateway: Scripted, reach: list[str], reason: Reason) -> None:
    """Refused 1, invalid 2, unauthenticated 3, everything else 4; JSON and text name the reason."""
    gateway.script(scripted.refuse(reason, sent=True), scripted.refuse(reason, sent=True))
    plain, as_json = run("ask", "x", *USE, *reach), run("ask", "x", *USE, *reach, "--json")
    assert plain.exit_code == as_json.exit_code == EXIT.get(reason, 4)
    assert f"  reason    {reason}" in plain.output
    assert json.loads(as_json.output)["reason"] == reason


def test_json_of_an_answer_is_one_object(run: Run, gateway: Scripted, reach: list[str]) -> None:
    """--json prints the whole answer as one object and nothing else, with --stream too."""
    stream = scripted.events(scripted.start(), scripted.text("Three trucks."), scripted.tool_use("map"), scripted.end())
    gateway.script(scripted.answer("Three \x1b[31mtrucks."), scripted.answer(), stream)
    result = run("ask", "x", *USE, *reach, "--json")
    assert result.exit_code == 0
    assert "\x1b" not in result.output
    assert json.loads(result.output) == {
        "outcome": "answered",
        "decision_id": DECISION,
        "release": scripted.RELEASE,
        "text": "Three \x1b[31mtrucks.",
        "parts": [{"text": "Three \x1b[31mtrucks."}],
        "stop_reason": "end",
        "usage": {"input_tokens": 7, "output_tokens": 5},
        "obligations": [{"kind": "label", "value": "AI generated"}],
    }
    assert json.loads(run("ask", "x", *USE, *reach, "--json", "--stream").output)["outcome"] == "answered"


def test_json_of_a_refusal_has_the_contract_words(run: Run, gateway: Scripted, reach: list[str]) -> None:
    """--json of a refusal has every field of the refusal, its rules as the contract names their fields."""
    gateway.script(scripted.refuse("APPROVAL_REQUIRED", "ask first", rules=(RULE,)))
    result = run("ask", "x", *USE, *reach, "--json")
    assert result.exit_code == 1
    assert json.loads(result.output) == {
        "outcome": "approval_required",
        "reason": "APPROVAL_REQUIRED",
        "message": "ask first",
        "field": "",
        "decision_id": DECISION,
        "release": scripted.RELEASE,
        "rules": [
            {
                "id": RULE.id,
                "title": RULE.title,
                "class": "red_line",
                "sources": [{"title": "DoDD 3000.09", "read": "second_hand"}],
                "remedy": RULE.remedy,
                "effect": "deny",
            }
        ],
        "rules_omitted": 0,
        "appeal": APPEAL,
        "retry_safe": True,
        "again_s": None,
    }


def test_every_failure_of_the_client_has_its_own_word() -> None:
    """No exception that the client raises is told as `failed`, which says nothing."""
    words = [show.outcome(kind("no"))[0] for kind in BrightlineError.__subclasses__()]
    assert "failed" not in words
    assert len(set(words)) == len(words)


def test_a_stream_is_printed_as_it_comes(run: Run, gateway: Scripted, reach: list[str]) -> None:
    """--stream prints text and tool calls in order, once, and how it ended."""
    gateway.script(
        scripted.events(
            scripted.start(),
            scripted.text("Three "),
            scripted.text("trucks."),
            scripted.tool_use("map"),
            scripted.end(),
        )
    )
    result = run("ask", "x", "--stream", *USE, *reach)
    assert result.exit_code == 0
    assert gateway.calls[0].method == "GenerateStream"
    assert result.output.count("Three trucks.") == 1
    assert (
        result.output.index("trucks.") < result.output.index("[tool call] map") < result.output.index("7 tokens read")
    )


def test_a_stream_that_is_refused_midway_ends_with_the_refusal(run: Run, gateway: Scripted, reach: list[str]) -> None:
    """What was judged before stays printed; the refusal is on a line of its own; the exit code is 1."""
    refusal = scripted.refuse("OUTPUT_DENIED", "the answer is refused", sent=True)
    gateway.script(scripted.events(scripted.start(), scripted.text("Three"), then=refusal))
    result = run("ask", "x", "--stream", *USE, *reach)
    assert result.exit_code == 1
    assert "\nREFUSED  the answer is refused\n" in result.output


def test_a_terminal_is_safe_from_what_is_printed(run: Run, gateway: Scripted, reach: list[str]) -> None:
    """Control characters and bidirectional overrides of a model or a server never reach the terminal."""
    hostile = "a\x1b[2Jb\x9b31mc\u202ed\re\x07"
    gateway.script(
        scripted.answer(hostile),
        scripted.plain(grpc.StatusCode.INTERNAL, hostile),
        scripted.events(scripted.start(), scripted.text(hostile), scripted.end()),
    )
    for words in ([], [], ["--stream"]):
        output = run("ask", "x", *words, *USE, *reach).output
        assert not set(output) & set("\x1b\x9b\u202e\r\x07")


def test_everything_declared_is_sent(run: Run, gateway: Scripted, reach: list[str]) -> None:
    """Every option of the declared use reaches the gateway, and so do tools, system prompt and limit."""
    gateway.script(scripted.answer())
    declared = """
        --autonomy operator_supervised --authority-kind statute --authority-citation X --authority-id 7
        --authority-not-before 2026-03-02 --authority-expires 2027-03-01T12:00:00
        --evidence impact_assessment=IA-7@2027-03-01 --evidence v=a@b@2027-03-01T12:00:00+02:00
        --us-person no --us-person-basis passport --us-person-process w-1 --geo US --geo DE --persons 0 --records 5
        --data-origin commercial --channel machine --approval-id ap --conversation-id c --idempotency-key k
        --tool map=read_only --tool fire=weapon --system brief --max-tokens 9
    """.split()  # noqa: SIM905 - as a person types it
    result = run("ask", "-", *USE, *reach, *declared, input="from standard input")
    assert result.exit_code == 0, result.output
    prompt = gateway.calls[0].request.prompt
    assert [f.name for f, _ in prompt.use.ListFields()] == [
        f.name for f in use_context_pb2.UseContext.DESCRIPTOR.fields
    ]
    assert prompt.use.authority.not_before_ms == 1_772_409_600_000
    assert prompt.use.authority.expires_ms == 1_803_902_400_000
    assert [(proof.kind, proof.id, proof.expires_ms) for proof in prompt.use.evidence] == [
        ("impact_assessment", "IA-7", 1_803_859_200_000),
        ("v", "a@b", 1_803_895_200_000),
    ]
    assert (prompt.use.us_person.process_id, prompt.use.volume.records) == ("w-1", 5)
    assert [(t.name, t.effector) for t in prompt.tools] == [
        ("map", message_pb2.EFFECTOR_READ_ONLY),
        ("fire", message_pb2.EFFECTOR_WEAPON),
    ]
    assert (prompt.system, prompt.max_tokens, prompt.model) == ("brief", 9, "general")
    assert prompt.messages[0].parts[0].text == "from standard input"


@pytest.mark.parametrize("proof", ["impact_assessment=IA-7", "impact_assessment=IA-7@", "a=b@soon"])
def test_evidence_without_an_end_is_not_sent(run: Run, gateway: Scripted, reach: list[str], proof: str) -> None:
    """No rule accepts what has no end, so the command says what to add and asks nothing."""
    result = run("ask", "x", *USE, *reach, "--evidence", proof)
    assert result.exit_code == 2
    assert "KIND=ID@END" in result.output
    assert not gateway.calls


@pytest.mark.parametrize(
    ("effect", "outcome"),
    [
        (pb.EFFECT_ALLOW, (0, "PERMITTED")),
        (pb.EFFECT_DENY, (1, "REFUSED")),
        (pb.EFFECT_REQUIRE_APPROVAL, (1, "APPROVAL REQUIRED")),
    ],
)
def test_check_says_what_would_happen(
    run: Run, gateway: Scripted, reach: list[str], effect: Any, outcome: tuple[int, str]
) -> None:
    """`check` prints the effect first, then the rules; JSON has the same; nothing is generated."""
    code, headline = outcome
    rules = () if code == 0 else (wire.rule(RULE),)
    gateway.script(scripted.checked(effect, *rules), scripted.checked(effect, *rules))
    result = run("check", "x", *USE, *reach)
    assert (result.exit_code, result.output.splitlines()[0]) == (code, f"{headline}  if it were asked now")
    assert f"  decision  {DECISION}" in result.output
    said = json.loads(run("check", "x", *USE, *reach, "--json").output)
    assert said["outcome"] == headline.lower().replace(" ", "_")
    assert [rule["id"] for rule in said["rules"]] == [rule.id for rule in rules]
    assert {call.method for call in gateway.calls} == {"CheckPolicy"}


def test_models_lists_them(run: Run, gateway: Scripted, reach: list[str]) -> None:
    """`models` prints id, description and ceiling; JSON has them in a list; an empty list says so."""
    gateway.script(scripted.listed("a", "b"), scripted.listed("a"), scripted.listed())
    result = run("models", *reach)
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "a",
        "  the model a",
        "  up to SECRET",
        "b",
        "  the model b",
        "  up to SECRET",
    ]
    assert json.loads(run("models", *reach, "--json").output) == {
        "outcome": "listed",
        "models": [{"id": "a", "description": "the model a", "marking_ceiling": "SECRET"}],
    }
    assert "no model is open to this tenant" in run("models", *reach).output


def test_the_only_model_need_not_be_named(run: Run, gateway: Scripted, reach: list[str]) -> None:
    """Without --model the tenant's only model is asked; with several, or none, the choice is asked for."""
    gateway.script(scripted.listed("general"), scripted.answer(), scripted.listed("a", "b"), scripted.listed())
    words = ["ask", "x", *USE[:4], *reach]
    assert run(*words).exit_code == 0
    assert gateway.calls[1].request.prompt.model == "general"
    several, none = run(*words), run(*words)
    assert (several.exit_code, none.exit_code) == (2, 2)
    assert "choose one of a, b" in several.output
    assert "the tenant has no model" in none.output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--use", "Logistics Planning"], "use.purpose"),
        (["--marking", ""], "use.marking: must not be empty"),
        (["--autonomy", "full"], "operator_supervised"),
        (["--authority-kind", "statute"], "authority.citation"),
        (["--authority-not-before", "2026-03-02"], "authority.kind"),
        (["--authority-expires", "2020-01-01"], "authority.kind"),
        (["--geo", "usa"], "use.geo[0]"),
        (["--persons", "-1"], "volume.persons"),
        (["--tool", "fire=gun"], "tool.effector"),
        (["--max-tokens", "0"], "max_tokens"),
        (["--timeout", "0"], "timeout_s"),
        (["--token-file", "nowhere"], "nowhere"),
        (["--ca", "nowhere"], "nowhere"),
        (["--tenant", "x", "--deployment", "dev"], "--deployment goes with --tenant"),
        (["--model", "GPT 4"], "model: must be an identifier"),
    ],
)
def test_bad_usage_is_2_and_sends_nothing(
    run: Run, gateway: Scripted, reach: list[str], words: list[str], says: str
) -> None:
    """An option that is not accepted exits with 2, says which and what is accepted, and nothing is sent."""
    result = run("ask", "x", *USE, *reach, *words)
    assert result.exit_code == 2, result.output
    assert says in " ".join(result.output.replace("│", " ").split())
    assert gateway.calls == []


def test_a_connection_needs_all_its_parts(run: Run) -> None:
    """Without a deployment, target, CA, certificate, key and token file are all needed."""
    result = run("models", "--target", "127.0.0.1:1")
    assert result.exit_code == 2
    assert "--token-file" in result.output


def test_no_gateway_is_4(run: Run, gateway: Scripted, reach: list[str]) -> None:
    """Where nobody listens the command exits with 4 and says where it tried."""
    result = run("models", *reach, "--target", "127.0.0.1:1")
    assert result.exit_code == 4
    assert result.output.startswith("CONNECTION FAILED  127.0.0.1:1")
    assert gateway.calls == []


def test_the_token_is_never_printed(run: Run, gateway: Scripted, reach: list[str], tmp_path: Path) -> None:
    """Neither a server that says the token back nor a token file that is none puts the token on the screen."""
    gateway.script(scripted.plain(grpc.StatusCode.INTERNAL, TOKEN), scripted.refuse("TOKEN_INVALID", TOKEN))
    outputs = [run("models", *reach).output, run("models", *reach, "--json").output]
    (tmp_path / "token-file").write_text(f"Bearer {TOKEN}")
    outputs.append(run("models", *reach).output)
    assert len(gateway.calls) == 2
    assert not any("canary-of-the-token" in output for output in outputs)


@pytest.mark.parametrize("command", ["ask", "check", "models", "token"])
def test_help_is_enough_for_a_stranger(run: Run, command: str) -> None:
    """Help has an example and the exit codes, and names every word that an option accepts."""
    text = run(command, "--help").output
    assert f"brightline {command}" in text
    assert "Example" in text
    assert "Exits with 0" in text
    if command in ("ask", "check"):
        accepted = {w for kind in (Autonomy, Involvement, DataOrigin, Channel) for w in get_args(kind)}
        assert all(word in text for word in accepted)
