"""The detector contract over plain HTTP, for detectors of one's own: docs/spec/detector.md has it, with its schemas."""

from __future__ import annotations

import json

from gateway import config, sdk_transport
from gateway.egress import failed
from gateway.signals.external.shape import whole


class Plain:
    """A detector that speaks the contract."""

    def __init__(self, settings: config.External, transport: sdk_transport.SdkTransport) -> None:
        self._version, self._transport = settings.model, transport
        self._categories = tuple(settings.categories)

    async def ask(self, text: str) -> dict[str, int]:
        """Thousandths by category. Raises whatever an odd answer leads to."""
        body = json.dumps({"text": text, "categories": self._categories}).encode()
        headers = {"content-type": "application/json", **sdk_transport.ASKED}
        response = await self._transport.http.post(self._transport.base_url, content=body, headers=headers)
        reply = json.loads(response.content)
        if set(reply) != {"version", "scores"} or reply["version"] != self._version:
            raise failed("another version answered, or another shape")
        if set(reply["scores"]) != set(self._categories):
            raise failed("other categories were scored")
        return {name: whole(score) for name, score in reply["scores"].items()}

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.http.aclose()
