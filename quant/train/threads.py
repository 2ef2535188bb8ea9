"""One thread for torch: faster for small networks, and sums always in the same order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread inside, and on as many as before afterwards; also a decorator.

    Convolutions are plain sums of products inside, which are exact where sums are small integers: NNPACK, whose
    transforms are not, stays out.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.backends.nnpack.flags(enabled=False):
            yield
    finally:
        torch.set_num_threads(before)
