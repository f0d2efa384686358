"""Assembles the answer of a stream from its messages. No I/O: messages go in, events come out.

A stream is: start, then text and tool calls in any order, then end, then nothing more, then the status OK. The answer
is made only after all of these, because the gateway sends the status after the outcome is recorded.
"""

from __future__ import annotations

from brightline import _response
from brightline.content import Text, ToolUse
from brightline.errors import IncompleteStream, NotThisGateway
from brightline.results import Answer, Started
from brightline.v1 import inference_pb2


class Assembly:
    """The state of one stream."""

    def __init__(self) -> None:
        self._start: Started | None = None
        self._parts: list[Text | ToolUse] = []
        self._text: list[str] = []
        self._end: inference_pb2.StreamEnd | None = None

    @property
    def begun(self) -> bool:
        """Whether the caller has seen an event. After that the call can't be retried transparently."""
        return self._start is not None

    def take(self, message: inference_pb2.GenerateStreamResponse) -> Started | Text | ToolUse | None:
        """The event of a message, or None if the caller does not see it yet. Raises NotThisGateway."""
        kind = message.WhichOneof("event")
        if kind is None or (kind == "start") == self.begun or self._end is not None:
            raise NotThisGateway(f"the stream has {kind or 'an unknown event'} where it can't be")
        match kind:
            case "start":
                self._start = _response.started(message.start)
                return self._start
            case "text":
                self._text.append(message.text)
                return _response.text(message.text)
            case "tool_use":
                use = _response.tool_use(message.tool_use)
                self._close_text()
                self._parts.append(use)
                return use
            case _:
                self._end = message.end
                return None

    def answer(self) -> Answer:
        """The whole answer, after the stream ended well. Raises IncompleteStream if the last event is missing."""
        if self._start is None or self._end is None:
            decision_id = self._start.decision_id if self._start is not None else ""
            raise IncompleteStream("the stream ended before its last event", decision_id=decision_id)
        self._close_text()
        return Answer(
            self._start.decision_id,
            self._start.release,
            tuple(self._parts),
            _response.stop_reason(self._end.stop_reason),
            _response.usage(self._end.usage),
            self._start.obligations,
        )

    def _close_text(self) -> None:
        text = "".join(self._text)
        self._text.clear()
        if text:
            self._parts.append(Text(text))
