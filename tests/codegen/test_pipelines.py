"""Random graphs with branches over every operator: the accelerator's bits, cycles and queues.

| testpoint | stage | test |
| --- | --- | --- |
| bits, interval, latency and queue levels without stalls | full | test_random_pipelines |
| bits with random stalls at both ends | full | test_random_pipelines |
"""

from __future__ import annotations

import pytest
from support.foldings import random_plan
from support.graphs import random_dag, random_samples
from support.pipelines import check_bits, check_cycles

COUNT = 300
"""Graphs in each run of the suite."""

CHUNK = 10


@pytest.mark.parametrize("first", range(0, COUNT, CHUNK))
def test_random_pipelines(first: int) -> None:
    for seed in range(first, first + CHUNK):
        graph = random_dag(seed)
        plan = random_plan(graph, seed)
        try:
            check_cycles(plan, graph, random_samples(graph, 5, seed))
            check_bits(plan, graph, random_samples(graph, 3, seed + 1), seed)
        except AssertionError as error:
            error.add_note(f"seed {seed}\n{plan.graph}")
            raise
