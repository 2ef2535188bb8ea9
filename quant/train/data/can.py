"""A CAN bus under attack, from GENERATED traffic: frames as bits, by a parser that hardware can follow."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np

from .can_traffic import KINDS, Frame, traffic
from .source import Dataset, Source

TRAIN_SEEDS = (1, 2, 3)
TEST_SEED = 101
TRAIN_SECONDS, TEST_SECONDS = 30.0, 20.0

SAME = tuple(0.0005 * 2**k for k in range(12))
"""Edges in seconds, 0.5 ms to about 1 s, for the time since the identifier was last seen."""

ANY = (0.0002, 0.0003, 0.0005, 0.001, 0.002)
"""Edges in seconds for the time since the last frame of any identifier."""

FEATURES = 11 + 4 + 64 + len(SAME) + len(ANY)


def parse(frames: Iterable[Frame]) -> np.ndarray:
    """Frames in the order of their arrival as bits: int64 (frames, 96), each 0 or 1.

    Identifier (11, highest bit first), length (4), eight payload bytes (64; zeros beyond the length), then two
    thermometers: the time since the last frame of this identifier (12 marks, all set where there was none), and since
    the last frame of any (5). The parser's state is the time at which each identifier was last seen.
    """
    seen: dict[int, float] = {}
    last = -np.inf
    rows = []
    for frame in frames:
        word = int.from_bytes(frame.payload.ljust(8, b"\0"), "big")
        head = (frame.identifier << 68) | (len(frame.payload) << 64) | word
        same = frame.time - seen.get(frame.identifier, -np.inf)
        rows.append((format(head, "079b"), same, frame.time - last))
        seen[frame.identifier] = last = frame.time
    bits = np.frombuffer("".join(row[0] for row in rows).encode(), np.uint8).reshape(len(rows), 79) - ord("0")
    same, last_any = np.array([row[1:] for row in rows]).T
    marks = [gap[:, None] >= np.array(edges) for gap, edges in ((same, SAME), (last_any, ANY))]
    return np.hstack([bits, *marks]).astype(np.int64)


@cache
def _can() -> Dataset:
    """Three generated drives to train on and one held out, each with four kinds of attacks; one frame is one sample."""
    drives = [traffic(seed, TRAIN_SECONDS) for seed in TRAIN_SEEDS]
    x = np.concatenate([parse(drive) for drive in drives]).astype(np.uint8)
    y = np.concatenate([_labels(drive) for drive in drives])
    drive = traffic(TEST_SEED, TEST_SECONDS)
    x_test, y_test = parse(drive), _labels(drive)
    names = np.array([_name(frame) for frame in drive])
    more = {name: (x_test[names == name], y_test[names == name]) for name in dict.fromkeys(sorted(names))}
    return Dataset(x, y, x_test, y_test, CAN.classes, CAN.input_format, more)


def _labels(frames: list[Frame]) -> np.ndarray:
    """0 normal, 1 attack."""
    return np.array([int(frame.kind > 0) for frame in frames])


def _name(frame: Frame) -> str:
    """What accuracy is told apart for."""
    if frame.kind:
        return f"injected frames of {KINDS[frame.kind]}"
    return f"normal frames amid {KINDS[frame.amid]}" if frame.amid else "normal frames between attacks"


CAN = Source((FEATURES,), ("normal", "attack"), 1, _can, note="GENERATED traffic of a made-up car, not recorded on one")
