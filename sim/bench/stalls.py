"""When a stream's partner pauses: patterns of stalls, seeded and reproducible."""

from __future__ import annotations

import random
from collections.abc import Iterator

PATTERNS = ("none", "random", "rare", "bursts", "reluctant")


def pauses(pattern: str, seed: int, longest: int = 200) -> Iterator[int]:
    """Cycles to pause before each transfer.

    ``none``: never. ``random``: in about half of the cycles. ``rare``: in one of twenty. ``bursts``: runs of up to
    64 transfers without a pause between pauses of up to ``longest`` cycles. ``reluctant``: before every transfer, and a
    sink of this kind is ready only once it has seen ``valid``.
    """
    generator = random.Random(seed)
    run = 0
    while True:
        if pattern == "none":
            yield 0
        elif pattern in ("random", "rare"):
            odds, count = (0.5 if pattern == "random" else 0.05), 0
            while generator.random() < odds:
                count += 1
            yield count
        elif pattern == "bursts":
            run -= 1
            if run < 0:
                run = generator.randrange(64)
                yield generator.randrange(1, longest + 1)
            else:
                yield 0
        elif pattern == "reluctant":
            yield generator.randrange(1, 4)
        else:
            raise ValueError(f"pattern must be one of {', '.join(PATTERNS)}, not {pattern!r}")
