"""Classifiers behind the API of OpenAI, through the `openai` SDK: the moderation endpoint, and models in the style of
Llama Guard, which answer a chat with "safe", or with "unsafe" and a line of codes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from openai import AsyncOpenAI

from gateway import config, sdk_transport
from gateway.egress import failed
from gateway.signals.external.shape import thousandths

_CODES: Final = re.compile(r"[A-Za-z0-9_-]{1,32}(?:, ?[A-Za-z0-9_-]{1,32}){0,63}")
_VERDICT_TOKENS: Final = 64


class _Asking:
    def __init__(self, settings: config.External, transport: sdk_transport.SdkTransport) -> None:
        self._model = settings.model
        self._categories = tuple(settings.categories)
        self._client = AsyncOpenAI(
            api_key=sdk_transport.PLACEHOLDER, base_url=transport.base_url, http_client=transport.http, max_retries=0
        )

    async def _post(self, path: str, body: dict[str, Any]) -> Any:
        options: Any = {"headers": sdk_transport.ASKED}
        reply: Any = await self._client.post(path, cast_to=object, body={"model": self._model, **body}, options=options)
        if reply["model"] != self._model:
            raise failed("another model answered")
        return reply

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


class Moderation(_Asking):
    """The moderation endpoint: a score from 0 to 1 for each category."""

    async def ask(self, text: str) -> dict[str, int]:
        """Thousandths by category. Raises whatever an odd answer leads to."""
        reply = await self._post("/moderations", {"input": text})
        (result,) = reply["results"]
        return {name: thousandths(result["category_scores"][name]) for name in self._categories}


class Guard(_Asking):
    """A model that says which categories a text falls under: 1000 for each that it names."""

    async def ask(self, text: str) -> dict[str, int]:
        """Thousandths by category. Raises whatever an odd answer leads to."""
        messages = [{"role": "user", "content": text}]
        reply = await self._post(
            "/chat/completions", {"messages": messages, "temperature": 0, "max_tokens": _VERDICT_TOKENS}
        )
        (choice,) = reply["choices"]
        if choice["finish_reason"] != "stop":
            raise failed("the verdict is not whole")
        named = frozenset(_named(choice["message"]["content"]))
        return {name: 1000 if name in named else 0 for name in self._categories}


def _named(verdict: str) -> Iterable[str]:
    match verdict.split():
        case ["safe"]:
            return ()
        case ["unsafe", *_]:
            codes = verdict.split(None, 1)[1:]
            if codes and _CODES.fullmatch(codes[0].strip()):
                return codes[0].replace(",", " ").split()
    raise failed("no verdict")
