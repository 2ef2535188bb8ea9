"""Why a network cannot be imported, in one line."""

from __future__ import annotations

from bitloom import RequestError


class ImportFailure(RequestError):
    """A network cannot be imported: one line with the node, its operator, the reason and the way out."""

    def __init__(self, message: str) -> None:
        text = " ".join(message.split())
        super().__init__(text if len(text) <= 600 else f"{text[:597]}…")
