"""What may come back, at its edges."""

from __future__ import annotations

import json

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from brightline.v1 import inference_pb2, message_pb2
from gateway import contract, wire
from gateway.canonical import MAX_INTEGER
from gateway.errors import GatewayError, Reason
from gateway.types import Document, Stop
from gateway.upstream.answer import MOST_VALUES, Answer, document_text, quoted
from tests.support.upstream_servers import permit, prompt


def answer(limit: int = 100) -> Answer:
    """The checks on an answer of at most `limit` bytes."""
    return Answer(permit(prompt()), limit)


def test_the_limit_is_in_bytes_over_all_pieces() -> None:
    """A piece that fills the limit is taken, one byte more is not, and a character counts as its bytes."""
    checks = answer(7)
    assert checks.take("é" * 3) == "ééé"
    assert checks.take("a") == "a"
    with pytest.raises(GatewayError):
        checks.take("a")


def test_as_many_tokens_as_permitted_are_permitted() -> None:
    """The limit itself is inside."""
    assert answer().end(Stop.END, 0, 64).output_tokens == 64
    with pytest.raises(GatewayError):
        answer().end(Stop.END, 0, 65)


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
)


@given(st.dictionaries(texts, values, max_size=4), st.booleans())
def test_arguments_keep_their_value_in_one_form(value: dict[str, object], ascii_only: bool) -> None:
    """However a service writes them, equal arguments are equal text."""
    written = answer().tool_use("c", "lookup", json.dumps(value, ensure_ascii=ascii_only, indent=1)).input
    assert json.loads(written) == value
    assert written == answer().tool_use("c", "lookup", json.dumps(dict(reversed(value.items())))).input


@given(st.dictionaries(texts, values, max_size=4))
def test_arguments_reach_the_caller_as_they_were_judged(value: dict[str, object]) -> None:
    """What the wire carries reads back as the arguments that were judged, so no call ends well and fails to be sent."""
    use = answer().tool_use("c", "lookup", json.dumps(value))
    assert json_format.MessageToDict(wire.tool_use(use).input) == value


@pytest.mark.parametrize(
    "arguments",
    [
        '{"a":9007199254740992}',
        '{"a":-9007199254740992}',
        '{"a":' + "9" * 5000 + "}",
        '{"a":1e400}',
        '{"a":NaN}',
        '{"a":' * 32 + "1" + "}" * 32,
        '{"a":"]]]]]]]]","b":' * 32 + "1" + "}" * 32,
        '{"a":' + "[" * 100_000,
        '{"a":["x\\u0000y"]}',
        '{"\\u0000":1}',
    ],
)
def test_arguments_that_the_wire_would_change_are_refused(arguments: str) -> None:
    """Numbers that a double can't hold, nesting that readers refuse, and U+0000 are no answer."""
    with pytest.raises(GatewayError) as refused:
        answer().tool_use("c", "lookup", arguments)
    assert refused.value.reason is Reason.UPSTREAM_FAILED


@pytest.mark.parametrize("value", ["1", "{}", "[]", '""'])
def test_a_caller_can_give_a_call_back(value: str) -> None:
    """Arguments hold no more values than a request can, so that nobody waits while the wire takes millions of them."""
    most = MOST_VALUES - 1  # beside the list that they stand in
    use = answer().tool_use("c", "lookup", f'{{"a":[{",".join([value] * most)}]}}')
    said = message_pb2.Message(role="ROLE_ASSISTANT", parts=[wire.part(use)])
    asked = inference_pb2.GenerateRequest(prompt=inference_pb2.Prompt(messages=[said]))
    with pytest.raises(GatewayError) as told:
        contract.parse(asked.SerializeToString(), inference_pb2.GenerateRequest, 1 << 20)
    assert "JSON values" not in told.value.message  # it says what else is missing
    for more in (most + 1, 2_000_000):
        with pytest.raises(GatewayError) as refused:
            answer().tool_use("c", "lookup", f'{{"a":[{",".join([value] * more)}]}}')
        assert refused.value.reason is Reason.UPSTREAM_FAILED


def test_text_that_ends_early_for_some_readers_is_no_answer() -> None:
    """Who reads up to U+0000 would get another text than the one that was judged; the name of it is only text."""
    with pytest.raises(GatewayError) as refused:
        answer().take("as far as here\0and no further")
    assert refused.value.reason is Reason.UPSTREAM_FAILED
    assert answer().tool_use("c", "lookup", '{"a":"\\\\u0000"}').input == '{"a":"\\\\u0000"}'


def test_a_repeated_key_has_one_reading() -> None:
    """What is judged and what is released is what is left after reading once."""
    assert answer().tool_use("c", "lookup", '{"a": 1, "a": 2}').input == '{"a":2}'


@given(st.text(), st.text(), st.text())
def test_a_document_cannot_forge_its_header(name: str, marking: str, text: str) -> None:
    """Name and marking can be read back from the header, whatever they hold."""
    header, _, body = document_text(Document(name, text, marking)).partition(":\n\n")
    decoder = json.JSONDecoder()
    assert header.startswith("Document ")
    shown_name, at = decoder.raw_decode(header, len("Document "))
    shown_marking, end = decoder.raw_decode(header, at + len(", marking "))
    assert (shown_name, shown_marking, body, end) == (name, marking, text, len(header))


@given(st.text())
def test_a_quoted_name_is_harmless(name: str) -> None:
    """Short, printable, and without anything that a log reader could take for structure."""
    shown = quoted(name)
    assert len(shown) <= 64
    assert shown.isascii()
    assert not set(shown) & set("\"'{}[]\r\n\t\x1b ")
