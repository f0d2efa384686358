"""Checks a model service's answer as it arrives. No I/O here.

1 the permitted model answered
2 the answer is within the byte limit
3 it calls only tools that were offered, each with one JSON object
4 it gives a stop reason and token counts
5 it has no more tokens than permitted: the limit may be an obligation, and a service could ignore the field
"""

from __future__ import annotations

import json
import math
import re
from typing import Final, NoReturn

from gateway.canonical import MAX_INTEGER
from gateway.egress import failed
from gateway.types import Document, End, Permitted, Stop, ToolUse
from gateway.upstream.events import mostly_text

_IDENTIFIER = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
MOST_VALUES: Final = 4_000
"""The most values in the arguments of a call. A request has the same limit, because callers send calls back to the
model."""
_DEEPEST = 31  # as in a request: protobuf reads no deeper, and callers send calls back to the model
_DIGITS = 17
_ODD = re.compile(r"[^A-Za-z0-9_.:/-]")


class Answer:
    """The checks on one answer. Every method raises GatewayError(UPSTREAM_FAILED)."""

    def __init__(self, permitted: Permitted, answer_bytes: int) -> None:
        self._model = permitted.model.upstream_model
        self._tools = frozenset(tool.name for tool in permitted.prompt.tools)
        self._max_tokens = permitted.prompt.max_tokens
        self._bytes_left = answer_bytes

    def model(self, name: object) -> None:
        """Check 1. The name is compared exactly: a release uses the dated name if the service answers with one."""
        if name != self._model:
            raise failed(f"model {quoted(name)} answered instead of {quoted(self._model)}")

    def take(self, text: object) -> str:
        """Check 2: count a piece of the answer against the limit, and return it."""
        if not isinstance(text, str):
            raise failed("text is not a string")
        try:
            self._bytes_left -= len(text.encode())
        except UnicodeEncodeError:
            raise failed("text holds a lone surrogate") from None
        if "\0" in text:
            raise failed("text holds U+0000")  # a reader that stops at U+0000 would see other text than was judged
        if self._bytes_left < 0:
            raise failed("the answer is over the size limit")
        return text

    def tool_use(self, identifier: object, name: object, arguments: str) -> ToolUse:
        """Check 3. arguments: JSON text, already counted.

        The judged and released form is its canonical compact form.
        """
        if not isinstance(identifier, str) or not _IDENTIFIER.fullmatch(identifier):
            raise failed("a tool call without a usable identifier")
        if not isinstance(name, str) or name not in self._tools:
            raise failed("a call of a tool that was not offered")
        return ToolUse(identifier, name, _compact(arguments))

    def end(self, stop: Stop | None, input_tokens: object, output_tokens: object) -> End:
        """Checks 4 and 5. stop: None if the service gave no known reason."""
        if stop is None:
            raise failed("no known reason for stopping")
        end = End(stop, self._model, _count(input_tokens), _count(output_tokens))
        if end.output_tokens > self._max_tokens:
            raise failed(f"{end.output_tokens} tokens where {self._max_tokens} were permitted")
        return end


def quoted(name: object) -> str:
    """A name that the service chose, shortened and sanitised for a log line."""
    return _ODD.sub("?", str(name)[:64])


def document_text(document: Document) -> str:
    """A document as the model gets it: a header whose values can't break out of their quotes, then the text."""
    name, marking = (json.dumps(value, ensure_ascii=False) for value in (document.name, document.marking))
    return f"Document {name}, marking {marking}:\n\n{document.text}"


def _compact(arguments: str) -> str:
    """One spelling for each value, so that no two readers see different arguments.

    The wire format holds arguments as google.protobuf.Struct. Numbers that a double would change, and nesting that its
    readers refuse, are invalid.
    """
    try:
        mostly_text(arguments.encode())
        value = json.loads(arguments, parse_constant=_refused, parse_int=_exact, parse_float=_finite)
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        text.encode()
    except (ValueError, RecursionError):
        raise failed("the arguments of a tool call are not JSON that the wire keeps as it is") from None
    if not isinstance(value, dict):
        raise failed("the arguments of a tool call are not a JSON object")
    depth, values = _shape(value)
    if depth > _DEEPEST:
        raise failed("the arguments of a tool call are nested too deep")
    if values > MOST_VALUES:
        raise failed("the arguments of a tool call are too many")
    if "\\u0000" in text.replace("\\\\", ""):
        raise failed("the arguments of a tool call hold U+0000")
    return text


def _refused(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are not JSON (RFC 8259 section 6)


def _exact(digits: str) -> int:
    number = int(digits) if len(digits) <= _DIGITS else MAX_INTEGER + 1
    if abs(number) > MAX_INTEGER:
        raise ValueError(digits)
    return number


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(digits)
    return number


def _shape(value: object) -> tuple[int, int]:
    """The nesting depth of lists and objects, and the number of values in them."""
    depth, values, level = 0, 0, [value]
    while level:
        containers = [v for v in level if isinstance(v, dict | list)]
        level = [inner for v in containers for inner in (v.values() if isinstance(v, dict) else v)]
        depth += bool(containers)
        values += len(level)
    return depth, values


def _count(tokens: object) -> int:
    if type(tokens) is not int or not 0 <= tokens <= MAX_INTEGER:
        raise failed("tokens are not counted")
    return tokens
