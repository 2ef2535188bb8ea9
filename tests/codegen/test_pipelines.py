"""Random graphs with branches over every operator: the accelerator's bits and cycles.

| testpoint | stage | test |
| --- | --- | --- |
| bits without stalls and with random ones at both ends | full | test_random_pipelines |
| latency, interval, and the cycles in which each sample goes in and comes out | full | test_random_pipelines |
| graphs that found a fault once | full | test_found_once |
| thousands of graphs | sign-off | test_random_pipelines, with ``--graphs 5000`` |
"""

from __future__ import annotations

import pytest
from support.foldings import random_plan
from support.graphs import random_dag, random_samples
from support.pipelines import PLAIN, STALLED, check

CHUNK = 10


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seeds" not in metafunc.fixturenames:
        return
    first, count = metafunc.config.getoption("--first-graph"), metafunc.config.getoption("--graphs")
    metafunc.parametrize("seeds", [range(k, min(k + CHUNK, first + count)) for k in range(first, first + count, CHUNK)],
                         ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")


def test_random_pipelines(seeds: range) -> None:
    for seed in seeds:
        _check(seed)


@pytest.mark.parametrize("seed", [
    pytest.param(972, id="more samples under way than a queue was computed for"),
    pytest.param(1741, id="fed while the thresholds are read for the first time"),
    pytest.param(4721, id="a burst that has just the time that it needs"),
])
def test_found_once(seed: int) -> None:
    _check(seed, size="tiny", plain=True)


def test_samples_may_take_turns() -> None:
    """A search of three lanes, split to one behind it, is ahead with one sample and behind with the next."""
    plan = random_plan(random_dag(28, size="small"), 28, False)
    assert (plan.interval, plan.spacing) == (180, (179, 181))
    assert plan.paced(180, 180) and plan.paced(179, 181) and not plan.paced(179, 180) and not plan.paced(181, 181)


def _check(seed: int, size: str = "small", plain: bool = False) -> None:
    graph = random_dag(seed, size=size)
    plan = random_plan(graph, seed, plain)
    try:
        check(plan, graph, random_samples(graph, PLAIN + STALLED, seed), seed)
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {error}\n{plan.graph}") from error
