"""Objects of the design by name, and every constant memory read back and compared, word for word."""

from __future__ import annotations

import re
from typing import Any


def read_back(top: Any, roms: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Per ROM (path → ``words``, hexadecimal; ``width``): how many words differ, and the first that does, in words.

    A path leads to an array of words, or, if there is one word only, to a signal.
    """
    return {path: _compare(find(top, path), rom["words"], rom["width"]) for path, rom in roms.items()}


def child(parent: Any, name: str) -> Any:
    """The object ``name`` in ``parent``; the simulator writes unusual names as Verilog does, escaped."""
    return parent[name if re.fullmatch(r"\w+", name) else f"\\{name} "]


def find(top: Any, path: str) -> Any:
    """The object at ``path`` (instance names joined by dots) below ``top``; None if there is none."""
    handle = top
    for name in path.split("."):
        try:
            handle = child(handle, name)
        except KeyError:
            return None
    return handle


def _compare(handle: Any, words: list[str], width: int) -> dict[str, Any]:
    if handle is None:
        return {"differ": len(words), "words": len(words), "detail": "it is not in the design"}
    array = [handle] if len(words) == 1 else [handle[k] for k in handle.range]
    if len(array) != len(words) or len(array[0]) != width:
        return {"differ": len(words), "words": len(words),
                "detail": f"{len(words)} words of {width} bits expected, {len(array)} of {len(array[0])} are there"}
    found = [int(word.value) for word in array]
    if len(words) > 1 and handle.range[0] > handle.range[-1]:
        found.reverse()
    wrong = [k for k, word in enumerate(words) if found[k] != int(word, 16)]
    detail = ""
    if wrong:
        k = wrong[0]
        flipped = found[k] ^ int(words[k], 16)
        detail = f"word {k} of {len(words)}: bits {flipped:#x} differ"
    return {"differ": len(wrong), "words": len(words), "detail": detail}
