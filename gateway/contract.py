"""Parses and validates a request strictly by the wire contract. Part of the gRPC shell.

1 size  2 well-formed Protobuf  3 a bounded number of pieces, no unknown field, no JSON value with nothing set
4 no U+0000 in any text  5 the contract's validation rules
All of this blocks every other call, hence the bound in 3. The gateway refuses an unknown field because nothing would
judge it. It refuses a JSON value with nothing set because some readers take it for null and others for an error. It
refuses U+0000 because a reader that ends text there would get another text than the one that was judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

import protovalidate
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message
from google.protobuf.struct_pb2 import Value
from protovalidate import Violation

from gateway.errors import GatewayError, Reason

MOST_PIECES = 10_000
"""The most messages, JSON values and list items in a request. A mebibyte could hold half a million, taking seconds."""

RULES = Path(__file__).parent / "assets" / "rules.binpb"

M = TypeVar("M", bound=Message)


def parse(data: bytes, kind: type[M], limit: int) -> M:
    """Parse `data`. Raises GatewayError that names the path of the first field at fault, and the rule."""
    if len(data) > limit:  # 1
        raise GatewayError(Reason.REQUEST_TOO_LARGE, f"the request has {len(data)} bytes; at most {limit} are accepted")
    try:
        message = kind.FromString(data)  # 2
    except DecodeError as error:
        raise GatewayError(
            Reason.INVALID_REQUEST, "the message is not valid protobuf of this method", detail=str(error)
        ) from None
    holds_json = _look_at_pieces(message)  # 3
    if b"\0" in data:
        _refuse_nul(message, "")  # 4
    ruled = _with_rules(kind.DESCRIPTOR.full_name).FromString(data)
    if holds_json:
        _empty_json(ruled)
    violations = protovalidate.collect_violations(ruled, fail_fast=True)  # 5
    if violations:
        path = _path(violations[0])
        raise GatewayError(Reason.INVALID_REQUEST, f"{path or 'request'}: {violations[0].proto.message}", field=path)
    return message


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(RULES.read_bytes()).file:
        pool.Add(file)
    return pool


@cache
def _with_rules(name: str) -> type[Message]:
    """The same message type with its validation rules. tools/protos.py explains why there are two types."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(name))


def _look_at_pieces(message: Message) -> bool:
    """Do check 3; return whether the message contains JSON. Raises GatewayError."""
    strange = _holds_unknown(message)
    waiting, pieces, holds_json = [(message, "")], 1, False
    while waiting:
        piece, path = waiting.pop()
        if strange and (number := _first_unknown(piece)):
            here = f"{path}.{number}".lstrip(".")
            raise GatewayError(Reason.INVALID_REQUEST, f"{here}: this gateway knows no such field", field=here)
        is_json = _is_json(piece)
        holds_json |= is_json
        if isinstance(piece, Value) and piece.WhichOneof("kind") is None:
            raise GatewayError(Reason.INVALID_REQUEST, f"{path}: holds a JSON value with nothing set", field=path)
        for field, value in piece.ListFields():
            if field.message_type is None and not field.is_repeated:
                continue
            # Inside JSON, report the path of the JSON field: the keys below it are the caller's words.
            here = path if is_json else f"{path}.{field.name}".lstrip(".")
            pieces += len(value) if field.is_repeated else 1
            if pieces > MOST_PIECES:
                text = f"{here}: the request has more than {MOST_PIECES} messages, parts, JSON values and items"
                raise GatewayError(Reason.INVALID_REQUEST, text, field=here)
            if field.message_type is None:
                continue
            if not field.is_repeated:
                waiting.append((value, here))
            elif isinstance(value, Mapping):
                waiting += [(item, here) for item in value.values()]
            else:
                waiting += [(item, here if _is_json(item) else f"{here}[{i}]") for i, item in enumerate(value)]
    return holds_json


def _holds_unknown(message: Message) -> bool:
    """Whether any part of the message has an unknown field. An UnknownFieldSet takes a second per mebibyte."""
    known = type(message)()
    known.CopyFrom(message)
    known.DiscardUnknownFields()
    return known.ByteSize() != message.ByteSize()


def _first_unknown(piece: Message) -> int:
    """The number of the first unknown field directly in this message; 0 if there is none."""
    rest = type(piece)()
    rest.CopyFrom(piece)
    for field, _ in piece.ListFields():
        rest.ClearField(field.name)
    tag = 0
    for place, byte in enumerate(rest.SerializeToString()):
        tag |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            break
    return tag >> 3


def _is_json(piece: Message) -> bool:
    return piece.DESCRIPTOR.full_name.startswith("google.protobuf.")


def _empty_json(message: Message) -> None:
    """Clear JSON values, which have no rules. The validator takes twenty microseconds to walk each."""
    for field, value in message.ListFields():
        if field.message_type is not None:
            for item in value if field.is_repeated else [value]:
                if _is_json(item):
                    item.Clear()
                else:
                    _empty_json(item)


def _refuse_nul(message: Message, path: str) -> None:
    is_json = _is_json(message)
    for field, value in message.ListFields():
        here = path if is_json else f"{path}.{field.name}".lstrip(".")
        if not field.is_repeated:  # must come first: a Struct is also a Mapping
            items = [(here, value)]
        elif isinstance(value, Mapping):
            items = [(here, item) for pair in value.items() for item in pair]
        else:
            items = [(here if is_json else f"{here}[{index}]", item) for index, item in enumerate(value)]
        for place, item in items:
            if isinstance(item, str) and "\0" in item:
                raise GatewayError(Reason.INVALID_REQUEST, f"{place}: holds the character U+0000", field=place)
            if isinstance(item, Message):
                _refuse_nul(item, place)


def _path(violation: Violation) -> str:
    elements: Sequence[object] = violation.proto.field.elements if violation.proto.field else ()
    text = ""
    for element in elements:
        subscript = element.subscript  # type: ignore[attr-defined]  # oneofs have no stub
        text += f".{element.field_name}" + (f"[{subscript.value}]" if subscript else "")  # type: ignore[attr-defined]
    return text.lstrip(".")
