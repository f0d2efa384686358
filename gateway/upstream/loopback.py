"""The built-in upstream, for trials and tests. It is no model.

It answers with the size of the request and its last line. Equal prompts get equal answers, of at most `max_tokens`
words; a word counts as a token. Lines of the last message that start with "loopback:" control it, in order:

    loopback: say <text>          answers the text
    loopback: tool <name> <json>  calls the tool, which must have been offered
    loopback: wait <ms>           sends nothing for that time
    loopback: stop early          breaks off, like a service that crashes
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
from collections.abc import AsyncGenerator
from pathlib import Path

from gateway import config
from gateway.egress import failed
from gateway.errors import StartError
from gateway.types import Chunk, Completion, End, Permitted, Prompt, Stop, Text, ToolUse, content_bytes, part_texts
from gateway.upstream.answer import Answer
from gateway.upstream.exchange import attempt, deadline_at

_DIRECTIVE = re.compile(r"loopback: (say(?= .)|tool(?= .)|wait(?= \d{1,6}$)|stop early$) ?(.*)")
_WORD = re.compile(r"\s*\S+\s*")
_WORDS_A_PIECE = 4


class Loopback:
    """An Upstream. calls: how many calls were forwarded to it. Raises StartError if the journal can't be opened."""

    def __init__(self, settings: config.Upstream, answer_bytes: int) -> None:
        self.name = settings.name
        self.calls = 0
        self._answer_bytes = answer_bytes
        self._journal = None if settings.journal is None else _open(settings.journal, settings.name)

    def check(self) -> None:
        """See Upstream. The loopback is always available."""

    async def generate(self, permitted: Permitted, deadline_s: float) -> Completion:
        """The whole answer. Raises GatewayError."""
        parts: list[Text | ToolUse] = []
        async for chunk in self._chunks(permitted, deadline_s, words_a_piece=permitted.prompt.max_tokens):
            if isinstance(chunk, End):
                return Completion(tuple(parts), chunk)
            if isinstance(chunk, Text) and parts and isinstance(parts[-1], Text):
                parts[-1] = Text(parts[-1].text + chunk.text)
            else:
                parts.append(chunk)
        raise failed("the stream broke off")

    def stream(self, permitted: Permitted, deadline_s: float) -> AsyncGenerator[Chunk]:
        """The answer a few words at a time, its End last. Raises GatewayError."""
        return self._chunks(permitted, deadline_s, words_a_piece=_WORDS_A_PIECE)

    async def _chunks(self, permitted: Permitted, deadline_s: float, *, words_a_piece: int) -> AsyncGenerator[Chunk]:
        deadline = deadline_at(deadline_s)
        self._forwarded(permitted.prompt)
        answer = Answer(permitted, self._answer_bytes)
        stop, said, limit = Stop.END, 0, permitted.prompt.max_tokens
        for verb, rest in _script(permitted.prompt):
            match verb:
                case "say":
                    words = _WORD.findall(rest)
                    cut = words[: limit - said]
                    said += len(cut)
                    for at in range(0, len(cut), words_a_piece):
                        yield Text(answer.take("".join(cut[at : at + words_a_piece])))
                    if len(cut) < len(words):
                        stop = Stop.MAX_TOKENS
                        break
                case "tool":
                    name, _, arguments = rest.partition(" ")
                    stop = Stop.TOOL_USE
                    yield answer.tool_use(f"loopback-{name}", name, answer.take(arguments))
                case "wait":
                    async with attempt(deadline):
                        await asyncio.sleep(int(rest) / 1000)
                case "stop early":
                    raise failed("the stream broke off")
        yield answer.end(stop, sum(len(text.split()) for text in permitted.prompt.texts()), said)

    async def close(self) -> None:
        """Close the journal."""
        if self._journal is not None:
            os.close(self._journal)
            self._journal = None

    def _forwarded(self, prompt: Prompt) -> None:
        self.calls += 1
        if self._journal is None:
            return
        line = {
            "sha256": hashlib.sha256(content_bytes(prompt)).hexdigest(),
            "idempotency_key": prompt.use.get("idempotency_key"),
        }
        # After a crash before the write, the call was not forwarded. After it, the line stands without an answer.
        os.write(self._journal, json.dumps(line).encode() + b"\n")
        os.fsync(self._journal)


def _open(path: Path, name: str) -> int:
    try:
        return os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)
    except OSError as error:
        raise StartError(f"upstreams.{name}.journal: {path}: cannot be opened: {error.strerror}") from error


def _script(prompt: Prompt) -> list[tuple[str, str]]:
    lines = [line for part in prompt.messages[-1].parts for text in part_texts(part) for line in text.splitlines()]
    steps = [(match[1], match[2]) for line in lines if (match := _DIRECTIVE.fullmatch(line))]
    asked = sum(len(text.split()) for text in prompt.texts())
    return steps or [("say", f"loopback: {asked} words asked; last line: {lines[-1] if lines else ''}")]
