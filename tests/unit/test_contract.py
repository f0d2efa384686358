"""Reading requests: strict, and clear about what is wrong."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest
from google.protobuf import json_format, struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from brightline.v1 import inference_pb2, message_pb2
from gateway import contract, wire
from gateway.errors import GatewayError, Reason
from gateway.types import Document, Text, ToolResult, ToolUse

LIMIT = 100_000


def request() -> inference_pb2.GenerateRequest:
    """A request that the contract accepts."""
    message = inference_pb2.GenerateRequest()
    message.prompt.model = "loopback"
    message.prompt.max_tokens = 100
    message.prompt.messages.add(role=message_pb2.ROLE_USER).parts.add(text="How many trucks?")
    message.prompt.use.purpose = "logistics_planning"
    message.prompt.use.marking = "UNCLASSIFIED"
    return message


def read(message: inference_pb2.GenerateRequest, extra: bytes = b"") -> inference_pb2.GenerateRequest:
    """The request as the gateway reads it."""
    return contract.parse(message.SerializeToString() + extra, inference_pb2.GenerateRequest, LIMIT)


def test_a_request_is_read_as_it_was_written() -> None:
    """What the contract accepts arrives unchanged, every kind of part included."""
    message = request()
    parts = message.prompt.messages.add(role=message_pb2.ROLE_ASSISTANT).parts
    parts.add().tool_use.CopyFrom(message_pb2.ToolUse(id="1", name="stock"))
    parts[0].tool_use.input.update({"depot": "north", "rows": 3, "share": 0.5})
    parts = message.prompt.messages.add(role=message_pb2.ROLE_USER).parts
    parts.add(tool_result=message_pb2.ToolResult(tool_use_id="1", text="12", is_error=True))
    parts.add(document=message_pb2.Document(name="plan", text="By road.", marking="CUI"))
    prompt = wire.prompt(read(message).prompt)
    assert [m.role for m in prompt.messages] == ["user", "assistant", "user"]
    assert prompt.messages[0].parts == (Text("How many trucks?"),)
    assert prompt.messages[1].parts == (ToolUse("1", "stock", '{"depot":"north","rows":3,"share":0.5}'),)
    assert prompt.messages[2].parts == (ToolResult("1", "12", is_error=True), Document("plan", "By road.", "CUI"))
    assert prompt.use["autonomy"] == "unspecified"
    assert prompt.use["authority"] is None


def edit(path: str, value: object) -> inference_pb2.GenerateRequest:
    """The accepted request with one field changed."""
    message = request()
    target: object = message
    *parents, last = path.split(".")
    for name in parents:
        target = target[int(name)] if name.isdigit() else getattr(target, name)  # type: ignore[index]
    setattr(target, last, value)
    return message


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("prompt.model", "Loopback", "prompt.model"),
        ("prompt.model", " loopback", "prompt.model"),
        ("prompt.model", "", "prompt.model"),
        ("prompt.max_tokens", 0, "prompt.max_tokens"),
        ("prompt.temperature_milli", 2001, "prompt.temperature_milli"),
        ("prompt.messages.0.role", 0, "prompt.messages[0].role"),
        ("prompt.messages.0.role", 9, "prompt.messages[0].role"),
        ("prompt.messages.0.parts.0.text", "", "prompt.messages[0].parts[0].text"),
        ("prompt.use.purpose", "Logistics", "prompt.use.purpose"),
        ("prompt.use.marking", "", "prompt.use.marking"),
        ("prompt.use.autonomy", 77, "prompt.use.autonomy"),
        ("prompt.use.volume.persons", -1, "prompt.use.volume.persons"),
        ("prompt.use.idempotency_key", "a b", "prompt.use.idempotency_key"),
    ],
)
def test_the_field_at_fault_is_named(path: str, value: object, field: str) -> None:
    """A value that the contract forbids is refused with the path of its field."""
    with pytest.raises(GatewayError) as refused:
        read(edit(path, value))
    assert refused.value.reason is Reason.INVALID_REQUEST
    assert refused.value.field == field
    assert refused.value.message.startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("extra", "field"),
    [(b"\x92\x3f\x01x", "1010"), (b"\x0a\x04\x92\x3f\x01x", "prompt.1010")],
    ids=["in the request", "in the prompt"],
)
def test_a_field_that_the_gateway_does_not_know_is_refused(extra: bytes, field: str) -> None:
    """Content in a field that nobody scans never gets past the gateway, at any depth."""
    with pytest.raises(GatewayError) as refused:
        read(request(), extra)
    assert (refused.value.reason, refused.value.field) == (Reason.INVALID_REQUEST, field)


def test_a_field_written_twice_is_what_protobuf_makes_of_it() -> None:
    """A duplicate field has one meaning, the last one, for the judge and for the model: both see this value."""
    twice = edit("prompt.model", "other").SerializeToString()
    merged = contract.parse(request().SerializeToString() + twice, inference_pb2.GenerateRequest, LIMIT)
    assert merged.prompt.model == "other"
    assert len(merged.prompt.messages) == 2


def test_a_part_of_another_medium_is_refused() -> None:
    """A blob has no detector: it is refused with its place."""
    message = request()
    message.prompt.messages[0].parts.add(blob=message_pb2.Blob(media_type="image/png", data=b"x"))
    with pytest.raises(GatewayError) as refused:
        wire.prompt(read(message).prompt)
    assert (refused.value.reason, refused.value.field) == (Reason.PART_UNREADABLE, "prompt.messages[0].parts[1]")


@pytest.mark.parametrize(
    ("role", "part"),
    [
        (message_pb2.ROLE_USER, message_pb2.Part(tool_use=message_pb2.ToolUse(id="1", name="x"))),
        (message_pb2.ROLE_ASSISTANT, message_pb2.Part(tool_result=message_pb2.ToolResult(tool_use_id="1"))),
    ],
)
def test_a_tool_part_under_the_wrong_role_is_refused(role: message_pb2.Role, part: message_pb2.Part) -> None:
    """A user can't speak as the model's tool call, nor the model as a tool's answer."""
    message = request()
    message.prompt.messages.add(role=role).parts.append(part)
    with pytest.raises(GatewayError) as refused:
        wire.prompt(read(message).prompt)
    assert refused.value.field == "prompt.messages[1].parts[0]"


def test_size_is_checked_before_anything_is_parsed() -> None:
    """A message over the limit is refused with both sizes."""
    with pytest.raises(GatewayError, match="at most 10 are accepted") as refused:
        contract.parse(b"\xff" * 11, inference_pb2.GenerateRequest, 10)
    assert refused.value.reason is Reason.REQUEST_TOO_LARGE


def parts(message: inference_pb2.GenerateRequest) -> None:
    """Twenty thousand parts, in as many messages as there may be."""
    for _ in range(100):
        added = message.prompt.messages.add(role=message_pb2.ROLE_USER)
        for _ in range(200):
            added.parts.add(text="x")


def values(message: inference_pb2.GenerateRequest) -> None:
    """As many values in lists of JSON."""
    message.prompt.tools.add(name="stock").input_schema.update({"a": [[1] * 100] * 200})


def members(message: inference_pb2.GenerateRequest) -> None:
    """As many members of JSON."""
    message.prompt.tools.add(name="stock").input_schema.update({f"member-{n}": None for n in range(20_000)})


def places(message: inference_pb2.GenerateRequest) -> None:
    """As many items of a list of texts."""
    message.prompt.use.geo.extend(["US"] * 20_000)


@pytest.mark.parametrize(
    ("fill", "field"),
    [
        (parts, "prompt.messages"),
        (values, "prompt.tools[0].input_schema"),
        (members, "prompt.tools[0].input_schema"),
        (places, "prompt.use.geo"),
    ],
)
def test_a_request_of_very_many_pieces_is_refused(
    fill: Callable[[inference_pb2.GenerateRequest], None], field: str
) -> None:
    """More pieces than can be looked at in passing are refused, though there are few bytes of them."""
    message = request()
    fill(message)
    with pytest.raises(GatewayError) as refused:
        contract.parse(message.SerializeToString(), inference_pb2.GenerateRequest, 1 << 20)
    assert refused.value.reason is Reason.INVALID_REQUEST
    assert refused.value.field.startswith(field)
    assert str(contract.MOST_PIECES) in refused.value.message


@pytest.mark.parametrize("unknown", [b"\xf8\x01\x00", b"\xfb\x01\xfc\x01"], ids=["numbers", "groups"])
def test_very_many_unknown_fields_cost_no_more_than_their_bytes(unknown: bytes) -> None:
    """The first of them is named, and the others are not made objects of, which holds up every other call."""
    data = request().SerializeToString() + unknown * 20_000
    tracemalloc.start()
    try:
        with pytest.raises(GatewayError) as refused:
            contract.parse(data, inference_pb2.GenerateRequest, LIMIT)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert refused.value.field == "31"
    assert most < 5 * len(data)


def test_an_unknown_field_within_json_is_refused() -> None:
    """A field that nobody reads is refused in JSON as elsewhere, and its place is that of the JSON."""
    message = request()
    tool = message.prompt.tools.add(name="stock")
    tool.input_schema.MergeFromString(b"\x92\x3f\x01x")
    with pytest.raises(GatewayError) as refused:
        read(message)
    assert refused.value.field == "prompt.tools[0].input_schema.1010"


def test_deep_nesting_and_invalid_utf8_are_refused() -> None:
    """A Struct nested 5,000 deep and a string that is not UTF-8 are malformed, not crashes."""
    nested = b""
    for _ in range(5_000):
        nested = (
            b"\x32" + _varint(len(nested) + 2 + len(_varint(len(nested)))) + b"\x0a" + _varint(len(nested)) + nested
        )
        if len(nested) > LIMIT - 1_000:
            break
    for data in (b"\x0a\x04\x0a\x02\xff\xfe", b"\x0a" + _varint(len(nested)) + nested):
        with pytest.raises(GatewayError) as refused:
            contract.parse(data, inference_pb2.GenerateRequest, LIMIT)
        assert refused.value.reason is Reason.INVALID_REQUEST


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("prompt.system", "prompt.system"),
        ("prompt.messages.0.parts.0.text", "prompt.messages[0].parts[0].text"),
        ("prompt.use.marking", "prompt.use.marking"),
    ],
)
def test_no_text_holds_nul(path: str, field: str) -> None:
    """U+0000 is refused wherever it stands, and the field is named."""
    with pytest.raises(GatewayError) as refused:
        read(edit(path, "before\0after"))
    assert (refused.value.reason, refused.value.field) == (Reason.INVALID_REQUEST, field)


@pytest.mark.parametrize("schema", [{"a\0": 1}, {"a": "\0"}, {"a": [{"b": ["\0"]}]}], ids=["key", "value", "nested"])
def test_no_json_holds_nul(schema: dict[str, object]) -> None:
    """U+0000 inside JSON is refused like any other, and zero bytes that are no text are not."""
    message = request()
    message.prompt.tools.add(name="stock").input_schema.update({"share": 0.5})
    assert b"\0" in message.SerializeToString()
    read(message)
    message.prompt.tools[0].input_schema.update(schema)
    with pytest.raises(GatewayError) as refused:
        read(message)
    assert refused.value.reason is Reason.INVALID_REQUEST
    assert refused.value.field.startswith("prompt.tools[0].input_schema")


@pytest.mark.parametrize(
    "schema",
    [
        struct_pb2.Struct(fields={"a": struct_pb2.Value()}),
        struct_pb2.Struct(fields={"a": {"struct_value": {"fields": {"b": struct_pb2.Value()}}}}),
        struct_pb2.Struct(fields={"a": {"list_value": {"values": [struct_pb2.Value()]}}}),
        struct_pb2.Struct.FromString(b"\x0a\x03\x0a\x01a"),
    ],
    ids=["member", "nested", "in a list", "a member without its value"],
)
def test_a_json_value_with_nothing_set_is_refused(schema: struct_pb2.Struct) -> None:
    """A value that is none of JSON's kinds, which some readers take for null, is refused with its place."""
    message = request()
    message.prompt.tools.add(name="stock").input_schema.CopyFrom(schema)
    with pytest.raises(GatewayError) as refused:
        read(message)
    assert (refused.value.reason, refused.value.field) == (Reason.INVALID_REQUEST, "prompt.tools[0].input_schema")


@pytest.mark.parametrize(
    ("number", "text"), [(2.0**53 - 1, "9007199254740991"), (-3.0, "-3"), (0.5, "0.5"), (1e300, "1e+300")]
)
def test_a_number_is_about_as_long_as_on_the_wire(number: float, text: str) -> None:
    """Whole numbers are integers as far as a float counts exactly; a request can't grow by what it says in digits."""
    message = request()
    message.prompt.tools.add(name="stock").input_schema.update({"maximum": number})
    assert wire.prompt(read(message).prompt).tools[0].input_schema == f'{{"maximum":{text}}}'


def test_tools_have_names_of_their_own() -> None:
    """Two tools of one name are refused: a call of the one would be judged by what the other can do."""
    message = request()
    message.prompt.tools.add(name="fire", effector=message_pb2.EFFECTOR_WEAPON)
    wire.prompt(read(message).prompt)
    message.prompt.tools.add(name="fire", effector=message_pb2.EFFECTOR_READ_ONLY)
    with pytest.raises(GatewayError) as refused:
        wire.prompt(read(message).prompt)
    assert (refused.value.reason, refused.value.field) == (Reason.INVALID_REQUEST, "prompt.tools")


@given(st.binary(max_size=300) | st.binary(max_size=40).map(lambda b: request().SerializeToString() + b))
def test_any_bytes_are_a_request_or_the_one_error(data: bytes) -> None:
    """Reading bytes gives a prompt or a GatewayError, nothing else."""
    try:
        prompt = wire.prompt(contract.parse(data, inference_pb2.GenerateRequest, LIMIT).prompt)
    except GatewayError as error:
        assert error.reason in {Reason.INVALID_REQUEST, Reason.PART_UNREADABLE}
    else:
        assert prompt.messages


def several(values: st.SearchStrategy[struct_pb2.Value]) -> st.SearchStrategy[struct_pb2.Value]:
    """A list or a struct of such values."""
    lists = st.lists(values).map(lambda items: struct_pb2.Value(list_value=struct_pb2.ListValue(values=items)))
    structs = st.dictionaries(st.text(), values).map(
        lambda items: struct_pb2.Value(struct_value=struct_pb2.Struct(fields=items))
    )
    return lists | structs


VALUES = st.recursive(
    st.builds(struct_pb2.Value)
    | st.builds(struct_pb2.Value, null_value=st.just(struct_pb2.NULL_VALUE))
    | st.builds(struct_pb2.Value, bool_value=st.booleans())
    | st.builds(struct_pb2.Value, number_value=st.floats())
    | st.builds(struct_pb2.Value, string_value=st.text()),
    several,
    max_leaves=10,
)


@given(VALUES)
def test_any_tool_argument_is_json_or_the_one_error(value: struct_pb2.Value) -> None:
    """Arguments of a tool become JSON text, or are refused where JSON has no word for them."""
    message = request()
    part = message_pb2.Part(tool_use=message_pb2.ToolUse(id="1", name="x"))
    part.tool_use.input.fields["value"].CopyFrom(value)
    message.prompt.messages.add(role=message_pb2.ROLE_ASSISTANT).parts.append(part)
    try:
        use = wire.prompt(read(message).prompt).messages[1].parts[0]
    except GatewayError as error:
        assert error.reason is Reason.INVALID_REQUEST
        assert error.field.startswith("prompt.messages[1].parts[0]")
    else:
        assert json_format.MessageToDict(wire.tool_use(use)) == json_format.MessageToDict(part.tool_use)


def _varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])
