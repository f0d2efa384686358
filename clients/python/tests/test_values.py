"""What the caller gives is checked before anything is sent, by the rules of the contract."""

import json
from dataclasses import fields
from typing import Any, get_args

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st

from brightline import (
    Authority,
    Autonomy,
    Channel,
    DataOrigin,
    Document,
    Effect,
    Effector,
    Evidence,
    Involvement,
    Message,
    Role,
    StopReason,
    Text,
    Tool,
    ToolResult,
    ToolUse,
    Use,
    UsPerson,
    Volume,
    _request,
    _response,
    assistant,
    errors,
    user,
)
from brightline.v1 import inference_pb2, message_pb2, refusal_pb2, use_context_pb2
from gateway import contract, types, wire
from gateway.errors import GatewayError, Reason

RESULT = ToolResult(tool_use_id="1", text="")
USE = Use(purpose="logistics_planning", marking="UNCLASSIFIED")


def test_an_argument_that_there_is_not_names_those_there_are() -> None:
    """A misspelled argument, and one that is needed and not there, are a ValueError like any other that is wrong."""
    with pytest.raises(ValueError, match=r"^an argument: must be one of model, use, prompt, .*; got 'temperature'$"):
        _request.fields(model="m", use=USE, prompt="x", temperature=0.5)
    with pytest.raises(ValueError, match=r"^use: is missing$"):
        _request.fields(model="m", prompt="x")


def accepted_by_gateway(prompt: inference_pb2.Prompt) -> bool:
    """Whether the gateway's own reading of the contract takes the prompt."""
    request = inference_pb2.GenerateRequest(prompt=prompt)
    try:
        contract.parse(request.SerializeToString(), inference_pb2.GenerateRequest, 1 << 24)
    except GatewayError:
        return False
    return True


def words(enum: Any) -> set[str]:
    """The words of a wire enum."""
    names = [value.name for value in enum.DESCRIPTOR.values]
    prefix = names[0].removesuffix("UNSPECIFIED")
    return {name.removeprefix(prefix).lower() for name in names}


@pytest.mark.parametrize(
    ("accepted", "enum"),
    [
        (get_args(Autonomy), use_context_pb2.Autonomy),
        (get_args(Involvement), use_context_pb2.Involvement),
        (get_args(DataOrigin), use_context_pb2.DataOrigin),
        (get_args(Channel), use_context_pb2.Channel),
        (get_args(Effector), message_pb2.Effector),
        ((*get_args(Role), "unspecified"), message_pb2.Role),
        ((*StopReason, "unspecified"), inference_pb2.StopReason),
        ((*Effect, "unspecified"), inference_pb2.Effect),
        ({r.lower() for r in errors.BY_REASON} | {"unspecified"}, refusal_pb2.Reason),
        ({r.lower() for r in Reason} | {"unspecified"}, refusal_pb2.Reason),
    ],
)
def test_words_are_those_of_the_contract(accepted: Any, enum: Any) -> None:
    """Every enum of the contract is known here, word for word."""
    assert {str(word) for word in accepted} == words(enum)


def test_use_covers_the_contract() -> None:
    """Every field of the wire's UseContext and its parts can be declared."""
    for kind, message in (
        (Use, use_context_pb2.UseContext),
        (Authority, use_context_pb2.Authority),
        (Evidence, use_context_pb2.Evidence),
        (UsPerson, use_context_pb2.UsPerson),
        (Volume, use_context_pb2.Volume),
    ):
        assert {f.name for f in fields(kind)} == {f.name for f in message.DESCRIPTOR.fields}


def test_everything_declared_arrives() -> None:
    """A use with every field set has every field set on the wire, with the same values."""
    use = Use(
        purpose="targeting_support",
        marking="SECRET//NOFORN",
        autonomy="operator_supervised",
        authority=Authority(kind="statute", citation="10 USC 127e", id="o-7", not_before_ms=1, expires_ms=2),
        evidence=[Evidence(kind="impact_assessment", id="ia-1", expires_ms=3)],
        us_person=UsPerson(involved="yes", basis="warrant", process_id="w-1"),
        geo=["US", "DE"],
        volume=Volume(persons=0, records=5),
        data_origin="commercial",
        channel="machine",
        approval_id="ap-1",
        conversation_id="c:1",
        idempotency_key="k.1",
    )
    sent = _request.ask(model="general", use=use, prompt="hello").use
    assert [f.name for f, _ in sent.ListFields()] == [f.name for f in use_context_pb2.UseContext.DESCRIPTOR.fields]
    assert sent.authority == use_context_pb2.Authority(
        kind="statute", citation="10 USC 127e", id="o-7", not_before_ms=1, expires_ms=2
    )
    assert sent.volume.HasField("persons")
    assert sent.volume.persons == 0
    assert (sent.autonomy, list(sent.geo)) == (use_context_pb2.AUTONOMY_OPERATOR_SUPERVISED, ["US", "DE"])
    assert accepted_by_gateway(_request.ask(model="general", use=use, prompt="hello"))


def test_what_is_not_declared_is_not_sent() -> None:
    """An absent authority, volume or US person stays absent, so that a rule sees null and not an empty value."""
    sent = _request.ask(model="general", use=USE, prompt="hello").use
    assert [f.name for f, _ in sent.ListFields()] == ["purpose", "marking"]


WIDE = st.one_of(
    st.text(max_size=6),
    st.from_regex(r"[a-zA-Z0-9_.:-]{0,4}", fullmatch=True),
    st.sampled_from(["", "a", "A", "US", "us", "a" * 64, "a" * 65, "x" * 128, "x" * 129, "x" * 256, "x" * 257, "a\n"]),
)
NUMBER = st.sampled_from([-1, 0, 1, 2**53 - 1, 2**53])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "purpose": WIDE,
    "marking": WIDE,
    "approval_id": WIDE,
    "conversation_id": WIDE,
    "idempotency_key": WIDE,
    "geo": st.lists(WIDE, max_size=2),
    "authority.kind": WIDE,
    "authority.citation": WIDE,
    "authority.id": WIDE,
    "authority.not_before_ms": NUMBER,
    "authority.expires_ms": NUMBER,
    "us_person.basis": WIDE,
    "us_person.process_id": WIDE,
    "volume.persons": NUMBER,
    "volume.records": NUMBER,
}


def declared(path: str, value: Any) -> Use:
    """A use that is in order but for one field."""
    known: dict[str, Any] = {"purpose": "logistics_planning", "marking": "UNCLASSIFIED"}
    group, _, name = path.rpartition(".")
    if group == "authority":
        return Use(**known, authority=Authority(**{"kind": "statute", "citation": "x", name: value}))
    if group == "us_person":
        return Use(**known, us_person=UsPerson(**{name: value}))
    if group == "volume":
        return Use(**known, volume=Volume(**{name: value}))
    return Use(**{**known, name: value})


def on_the_wire(path: str, value: Any) -> inference_pb2.Prompt:
    """The same prompt, put together without the client's checks."""
    prompt = _request.ask(model="general", use=USE, prompt="hello")
    group, _, name = path.rpartition(".")
    if group == "authority":
        prompt.use.authority.MergeFrom(use_context_pb2.Authority(kind="statute", citation="x"))
    target = getattr(prompt.use, group) if group else prompt.use
    if group:
        target.SetInParent()
    if isinstance(value, list):
        getattr(target, name).extend(value)
    else:
        setattr(target, name, value)
    return prompt


@given(st.sampled_from(sorted(VALUES)).flatmap(lambda path: st.tuples(st.just(path), VALUES[path])))
@settings(max_examples=300, deadline=None)
def test_client_and_gateway_accept_the_same_uses(case: tuple[str, Any]) -> None:
    """A declared use is accepted here exactly when the gateway's validation of the contract accepts it."""
    path, value = case
    try:
        declared(path, value)
    except ValueError as error:
        assert path.split(".")[-1] in str(error)
        accepted = False
    else:
        accepted = True
    assert accepted == accepted_by_gateway(on_the_wire(path, value))


@pytest.mark.parametrize(
    ("kind", "given", "says"),
    [
        (Use, {"purpose": "Logistics Planning"}, r"use\.purpose: .*lower-case.*'Logistics Planning'"),
        (Use, {"marking": ""}, r"use\.marking: must not be empty"),
        (Use, {"marking": None}, r"use\.marking: must be text; got NoneType"),
        (Use, {"marking": "\ud800"}, r"use\.marking: holds a lone surrogate"),
        (Use, {"autonomy": "full"}, r"use\.autonomy: .*recommend.*'full'"),
        (Use, {"channel": "tv"}, r"use\.channel: .*internal"),
        (Use, {"data_origin": ["web"]}, r"use\.data_origin: .*agency_records"),
        (Use, {"geo": "US"}, r"use\.geo: must be a list"),
        (Use, {"geo": ["usa"]}, r'use\.geo\[0\]: .*like "US"; got \'usa\''),
        (Use, {"authority": "EO 12333"}, r"use\.authority: must be Authority"),
        (UsPerson, {"involved": "maybe"}, r"us_person\.involved: .*unknown; got 'maybe'"),
        (Volume, {"persons": True}, r"volume\.persons: .*whole number"),
        (Text, {"text": ""}, r"text: must not be empty"),
        (Document, {"name": "n" * 257, "text": "x"}, r"document\.name: .*at most 256 characters; got 257"),
        (Tool, {"name": "a b"}, r"tool\.name: "),
        (Tool, {"effector": "gun"}, r"tool\.effector: .*weapon.*'gun'"),
        (Tool, {"input_schema": ["x"]}, r"tool\.input_schema: must be a mapping"),
        (Tool, {"input_schema": {"a": {"b": float("nan")}}}, r"tool\.input_schema\.a\.b: .*that JSON has; got nan"),
        (Tool, {"input_schema": {"a": [2**53]}}, r"tool\.input_schema\.a\[0\]: "),
        (Tool, {"input_schema": {"a": {1}}}, r"tool\.input_schema\.a: JSON has no set"),
        (Tool, {"input_schema": {1: 1}}, r"tool\.input_schema: a name: must be text; got int"),
        (Tool, {"input_schema": {"\ud800": 1}}, r"tool\.input_schema: a name: holds a lone surrogate"),
        (Message, {"parts": (ToolUse(id="1", name="t"),)}, r"message\.parts\[0\]: must be Text or Document or ToolRes"),
        (Message, {"role": "assistant", "parts": (RESULT,)}, r"message\.parts\[0\]: .*got ToolResult"),
        (Message, {"parts": ()}, r"message\.parts: must be a list of 1 to 256; got 0"),
        (Message, {"role": "system"}, r"message\.role: must be one of user, assistant"),
    ],
)
def test_a_wrong_value_names_the_field_and_what_is_accepted(kind: Any, given: dict[str, Any], says: str) -> None:
    """A value that the contract does not take raises ValueError when it is made, with field and remedy."""
    known: dict[Any, dict[str, Any]] = {
        Use: {"purpose": "logistics_planning", "marking": "UNCLASSIFIED"},
        Tool: {"name": "map"},
        Message: {"role": "user", "parts": (Text("x"),)},
    }
    with pytest.raises(ValueError, match=says):
        kind(**{**known.get(kind, {}), **given})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model": "GPT 4"}, r"model: must be an identifier from models\(\)"),
        ({"use": {"purpose": "x"}}, r"use: must be Use; got dict"),
        ({"prompt": None}, r"prompt, messages: give exactly one"),
        ({"messages": [user("x")]}, r"prompt, messages: give exactly one"),
        ({"prompt": None, "messages": []}, r"messages: must be a list of 1 to 256"),
        ({"prompt": None, "messages": ["x"]}, r"messages\[0\]: must be Message; got str"),
        ({"prompt": ""}, r"text: must not be empty"),
        ({"prompt": 7}, r"message\.parts\[0\]: "),
        ({"system": None}, r"system: must be text"),
        ({"tools": [Tool(name="a"), Tool(name="a")]}, r"tools: two tools have the same name"),
        ({"tools": ["a"]}, r"tools\[0\]: must be Tool; got str"),
        ({"max_tokens": 0}, r"max_tokens: must be a whole number from 1 to 1000000; got 0"),
        ({"temperature_milli": 2001}, r"temperature_milli: .*2000; got 2001"),
    ],
)
def test_a_wrong_argument_names_itself(changes: dict[str, Any], says: str) -> None:
    """An argument that the contract does not take raises ValueError that names it."""
    with pytest.raises(ValueError, match=says):
        _request.ask(**{"model": "general", "use": USE, "prompt": "hello", **changes})


def test_content_is_not_repeated_in_errors() -> None:
    """The error about a content field does not hold the content."""
    with pytest.raises(ValueError, match="at most 256") as caught:
        Document(name="secret-plan" * 100, text="x")
    assert "secret-plan" not in str(caught.value)


def test_every_kind_of_part_is_accepted_by_the_gateway() -> None:
    """A conversation with every kind of part, tools and limits passes the gateway's validation as it was given."""
    prompt = _request.ask(
        model="general",
        use=USE,
        system="be brief",
        messages=[
            user("look", Document(name="a.txt", text="text", marking="CUI")),
            assistant("I will", ToolUse(id="1", name="map", input={"at": [1, {"x": None, "y": True}]})),
            user(ToolResult(tool_use_id="1", text="", is_error=True)),
        ],
        tools=[Tool(name="map", description="shows", input_schema={"type": "object"}, effector="read_only")],
        max_tokens=5,
        temperature_milli=0,
    )
    assert accepted_by_gateway(prompt)
    assert prompt.HasField("temperature_milli")
    assert json_format.MessageToDict(prompt.messages[1].parts[1].tool_use.input) == {"at": [1, {"x": None, "y": True}]}
    assert prompt.tools[0].effector == message_pb2.EFFECTOR_READ_ONLY


def nested(levels: int) -> dict[str, Any]:
    """This many objects in one another."""
    value: dict[str, Any] = {"a": 1}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)
EXACT = 2**53 - 1
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-EXACT, EXACT) | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(WORDS, JSON, max_size=3))
def test_arguments_of_a_model_arrive_and_go_back(arguments: dict[str, Any]) -> None:
    """Arguments that the gateway releases reach the application as they are, and the model again with its answer."""
    call = _response.tool_use(wire.tool_use(types.ToolUse("1", "map", json.dumps(arguments))))
    assert call.input == arguments
    asked = _request.ask(model="m", use=USE, messages=[user("where?"), assistant(call), user(RESULT)])
    assert accepted_by_gateway(asked)
    [again] = wire.prompt(asked).messages[1].parts
    assert isinstance(again, types.ToolUse)
    assert json.loads(again.input) == arguments


def test_json_as_deep_as_may_be_is_accepted_by_the_gateway() -> None:
    """Arguments and schemas as deep as the client takes them arrive, beside each other and in a conversation."""
    called = assistant(ToolUse(id="1", name="t", input=nested(31)))
    tools = [Tool(name="t", input_schema=nested(31))]
    assert accepted_by_gateway(_request.ask(model="general", use=USE, messages=[called, user(RESULT)], tools=tools))


@pytest.mark.parametrize("levels", [32, 40, 5000])
def test_json_that_is_nested_too_deep_is_named(levels: int) -> None:
    """What protobuf reads no further raises ValueError with the field, before anything is sent."""
    with pytest.raises(ValueError, match=r"^tool.input_schema.*at most 31 objects and lists in one another$"):
        Tool(name="t", input_schema=nested(levels))
    with pytest.raises(ValueError, match=r"^tool_use.input.*at most 31 objects and lists in one another$"):
        ToolUse(id="1", name="t", input={"a": [nested(levels)]})
