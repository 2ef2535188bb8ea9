"""The chosen folding meets what was asked for, is the smallest that does, and a request that cannot be met says why."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise, product
from math import inf

import numpy as np
import pytest
from support.graphs import graph_of, random_dag, random_graph

from bitloom import RequestError
from bitloom.codegen import FAMILIES, TARGETS, FitError, Folding, Plan, Resources, compile, program, simplify
from bitloom.codegen.cost import link
from bitloom.codegen.folding import divisors
from bitloom.codegen.mapping import lane_totals, templates
from bitloom.codegen.network import Network
from bitloom.codegen.options import Option, options
from bitloom.codegen.program import Patience
from bitloom.codegen.solve import choose
from bitloom.quant import Conv, Format, Graph, Input, MatMul, Node, Pad, Pool, Tensor, Threshold, Window

WIDTHS = (12, 12, 8, 6)
BUDGET = Resources(lut=1500, ff=1500, bram=20)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return random_graph(1, WIDTHS)


def test_every_option_divides_and_none_is_left_out(graph: Graph) -> None:
    node = next(n for n in graph if isinstance(n, MatMul))
    found = options(graph, node, FAMILIES["ice40"], {"template": "MatVec"})
    assert {(o.folding.pe, o.folding.simd) for o in found} == {(p, s) for p in divisors(12) for s in divisors(12)}
    for option in found:
        assert option.interval == 144 // (option.folding.pe * option.folding.simd)
        assert option.lanes_out == option.folding.pe
    assert {o.folding.memory for o in found if o.interval > 1} == {"block", "distributed"}


def test_targets_are_best_at_what_they_are_for(graph: Graph) -> None:
    plans = {target: compile(graph, budget=BUDGET, target=target) for target in ("throughput", "latency", "area")}
    for plan in plans.values():
        assert not plan.predicted.excess(BUDGET)
    assert plans["throughput"].interval == min(plan.interval for plan in plans.values())
    assert plans["latency"].latency <= plans["area"].latency
    assert plans["area"].predicted.lut == min(plan.predicted.lut for plan in plans.values())


@pytest.mark.parametrize("fps", [1e4, 1e5, 5e5])
def test_a_rate_is_reached_by_a_smaller_circuit_than_the_fastest(graph: Graph, fps: float) -> None:
    plan = compile(graph, fps=fps, clock_hz=12e6)
    assert plan.throughput_fps >= fps
    assert plan.predicted.area() <= compile(graph, target="throughput").predicted.area()


def test_the_same_request_has_the_same_answer(graph: Graph) -> None:
    assert compile(graph, budget=BUDGET).foldings == compile(graph, budget=BUDGET).foldings


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"fc1": {"pe": 5}}, r"layers.fc1.pe must divide the 12 outputs, not 5 \(use 1, 2, 3, 4, 6 or 12\)"),
        ({"fc2": {"simd": 7}}, "layers.fc2.simd must divide the 12 inputs, not 7"),
        ({"fc1": {"pe": "4"}}, "layers.fc1.pe must be a whole number, not '4'"),
        ({"fc1": {"lanes": 4}}, "a MatMul has the keys pe, simd, memory or template, not 'lanes'"),
        ({"act1": {"pe": 4}}, "a Threshold has the keys lanes, memory or template, not 'pe'"),
        ({"act1": {"lanes": 5}}, r"layers.act1.lanes must divide the 12 channels.*, not 5 \(use 1, 2, 3, 4, 6 or 12\)"),
        ({"class": {"memory": "block"}}, "an ArgMax has the keys lanes or template, not 'memory'"),
        ({"fc1": {"template": "Systolic"}},
         r"fc1.template must be MatVec, PackedMatVec or BitSerialMatVec, not 'Systolic' \(there is no such template\)"),
        ({"fc1": {"template": "TableMatVec"}}, r"not 'TableMatVec' \(it takes weights of −1 … 1, not -15 … 15\)"),
        ({"fc1": {"template": "ArgMax"}}, r"not 'ArgMax' \(it serves no MatMul\)"),
        ({"act1": {"template": "ThresholdSearch"}},
         r"must be Threshold, not .ThresholdSearch. \(a search takes 15 levels or more in steps of 1, and act1 has"),
        ({"fc1": {"memory": "flash"}}, "layers.fc1.memory must be block or distributed, not 'flash'"),
        ({"fc11": {"pe": 4}}, r"layers.fc11: .* did you mean 'fc1'\?"),
    ],
)
def test_wrong_overrides_are_named(graph: Graph, overrides: dict[str, dict[str, object]], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        compile(graph, overrides=overrides)


def test_what_does_not_fit_says_what_is_short_and_what_would(graph: Graph) -> None:
    with pytest.raises(FitError, match=r"[\d,]+ LUT of 50 allowed \([\d,]+ too many\).*take a larger board") as caught:
        compile(graph, budget=Resources(lut=50, ff=700, bram=20))
    assert caught.value.needed.lut > 50 and caught.value.excess["lut"] > 0
    assert re.search(r"too many\), most for \w+ \(\d+\), \w+ \(\d+\), \w+ \(\d+\)", str(caught.value))
    with pytest.raises(FitError, match=r"leave out the overrides of layers \(fc1 PE \d+ × SIMD \d+, .* fits"):
        compile(graph, budget=BUDGET, overrides={"fc1": {"pe": 12, "simd": 12}, "fc2": {"pe": 8, "simd": 12}})
    with pytest.raises(FitError, match=r"ask for a lower rate \(.* fits, with a sample each \d+ cycles\)"):
        compile(graph, budget=BUDGET, fps=12e6)


def test_the_solver_says_what_its_time_did_not_settle(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    proven = compile(graph, budget=BUDGET)
    assert proven.unproven == ""
    patience = Patience(left=0.0)
    chosen = choose(simplify(graph), FAMILIES["ice40"], budget=BUDGET, target="throughput", max_interval=None,
                    overrides={}, patience=patience)
    assert set(chosen) == set(proven.foldings)  # there is always time for what the relaxation answers
    assert Patience(open=2, gaps={"latency": 0.0, "area": 0.0123}).text == (
        "what was found in the solver's time; not ruled out: 2 shorter intervals, area lower by 1.2%")
    for name in ("EFFORT", "_LEAST"):
        monkeypatch.setattr(program, name, 1e-9)
    with pytest.raises(RequestError, match="no folding that fits was found in the solver's time; ask for a lower rate"):
        compile(graph, budget=BUDGET)


def test_thresholds_that_fill_the_memories_are_named() -> None:
    """Sixteen bits whose levels lie on no line: an answer at once, though no unit could compare so many."""
    rng = np.random.default_rng(0)
    x, weights = Tensor((4,), Format(8, True)), rng.integers(-127, 128, (3, 4))
    product = MatMul("fc1", ("x",), Tensor((3,), Format(24, True)), weights, Format(8, True))
    rows = np.sort(rng.integers(-60000, 60000, (3, 20000)), axis=1)
    graph = graph_of(x, product, Threshold("act1", ("fc1",), Tensor((3,), Format(15)), rows))
    with pytest.raises(FitError, match=r"BRAM of 20 allowed .*, most for the thresholds of act1 \(\d+\).*"
                                       r"import it with --requantize fixed, or quantize act1 to fewer bits"):
        compile(graph, budget=replace(BUDGET, lut=20000, ff=20000))
    with pytest.raises(RequestError, match=r"must be ThresholdSearch, not 'Threshold' \(comparisons serve 1,023"):
        compile(graph, overrides={"act1": {"template": "Threshold"}})


def test_a_rate_beyond_the_clock_or_the_folding_is_refused(graph: Graph) -> None:
    with pytest.raises(RequestError, match="fps must be above 0 and at most the clock's 12,000,000"):
        compile(graph, fps=24e6)
    with pytest.raises(RequestError, match="no folding reaches one sample per 10 cycles; the fastest takes 144"):
        compile(graph, fps=1.2e6, overrides={"fc1": {"pe": 1, "simd": 1}})


def test_families_and_targets_are_checked(graph: Graph) -> None:
    with pytest.raises(RequestError, match="family must be one of ice40, ecp5, gowin, not 'spartan'"):
        compile(graph, family="spartan")
    with pytest.raises(RequestError, match="target must be one of throughput, latency, area, not 'speed'"):
        compile(graph, target="speed")


@pytest.mark.parametrize("operator", ["Pool", "Conv", "Add", "Concat", "Window"])
def test_lanes_of_any_layer_can_be_fixed(operator: str) -> None:
    for seed in range(200):
        graph = simplify(random_dag(seed))
        node = next((n for n in graph if n.op == operator and lane_totals(graph, n)[1] > 1), None)
        if node is not None:
            break
    for lanes in divisors(lane_totals(graph, node)[1]):
        folding = compile(graph, overrides={node.name: {"lanes": lanes}}).foldings[node.name]
        assert folding.simd == lanes and (folding.pe == lanes or folding.template == "PatchWindow")


def windowed(channels: int = 4, bits: int = 3, groups: int = 1) -> Graph:
    """A window of 3 × 2 positions alone."""
    shape, kernel = (6, 5, channels), (3, 2)
    window = Window("w", ("x",), Tensor((4, 4, 6 * channels), Format(bits)), kernel, (1, 1), (1, 1), groups)
    return Graph("windowed", (Input("x", (), Tensor(shape, Format(bits))), window), "w")


def test_a_window_of_whole_patches_has_one_folding() -> None:
    graph = windowed()
    found = {(o.folding.template, o.folding.simd, o.lanes_out, o.interval)
             for o in options(graph, graph["w"], FAMILIES["ecp5"], {})}
    steps = 4 * 4 * 6
    assert found == {("Window", 1, 1, 4 * steps), ("Window", 2, 2, 2 * steps), ("Window", 4, 4, steps),
                     ("PatchWindow", 4, 24, 30)}
    assert compile(graph, family="ecp5").interval == 30
    assert compile(graph, family="ecp5", overrides={"w": {"template": "Window"}}).interval == steps
    with pytest.raises(RequestError, match=r"layers\.w\.lanes must be 4 with the template PatchWindow, not 2"):
        compile(graph, overrides={"w": {"template": "PatchWindow", "lanes": 2}})


@pytest.mark.parametrize(("change", "known"), [({"groups": 2}, 1), ({"channels": 57}, 1), ({"channels": 56}, 2)])
def test_patches_of_groups_and_wide_ones_come_in_parts(change: dict[str, int], known: int) -> None:
    graph = windowed(**change)
    assert templates(graph, graph["w"]) == ("Window", "PatchWindow")[:known]


@pytest.mark.parametrize("template", ["Threshold", "ThresholdSearch"])
def test_templates_can_be_fixed(template: str) -> None:
    rows = np.sort(np.random.default_rng(0).integers(-4000, 4000, (4, 40)), axis=1)
    graph = Graph("levels", (Input("x", (), Tensor((4,), Format(14, True))),
                             Threshold("act", ("x",), Tensor((4,), Format(6)), rows)), "act")
    stage, = compile(graph, overrides={"act": {"template": template}}).stages
    assert stage.template == template


def test_networks_of_other_things_than_products_compile() -> None:
    graph = Graph("pool", (Input("x", (), Tensor((4, 4, 2), Format(3))),
                           Pool("pool", ("x",), Tensor((2, 2, 2), Format(3)), "max", (2, 2), (2, 2))), "pool")
    assert compile(graph).interval >= 8
    with pytest.raises(RequestError, match="network 'nothing' has no layer that needs a unit"):
        compile(Graph("nothing", (Input("x", (), Tensor((4,), Format(3))),), "x"))


def options_of(plan: Plan, network: Network) -> list[Option]:
    """The options that ``plan`` consists of, the input's first."""
    foldings = [Folding(plan.input_lanes, plan.input_lanes), *plan.foldings.values()]
    return [next(o for o in unit.options if o.folding == f) for unit, f in zip(network.units, foldings)]


def cheapest(network: Network, limit: int) -> float:
    """The least area of any choice of options within ``limit`` cycles per sample, by trying them all."""
    entry = next(edge.target for edge in network.edges if edge.same)
    areas = []
    for picked in product(*(unit.options for unit in network.units[1:])):
        first = next(o for o in network.units[0].options if o.lanes_out == picked[entry - 1].folding.simd)
        if network.interval([first, *picked]) <= limit:
            areas.append(network.total([first, *picked]).area())
    return min(areas, default=inf)


@pytest.mark.parametrize("seed", range(4))
def test_the_smallest_is_the_smallest_of_all(seed: int) -> None:
    graph = simplify(random_graph(seed, (3, 4, 2)))
    family = list(FAMILIES.values())[seed % len(FAMILIES)]
    network = Network.of(graph, family, {})
    for limit in (1, 2, 3, 4, 6, 12):
        best = cheapest(network, limit)
        if best == inf:
            with pytest.raises(RequestError, match="no folding reaches"):
                compile(graph, family=family.name, fps=1e6 / limit, clock_hz=1e6)
            continue
        plan = compile(graph, family=family.name, fps=1e6 / limit, clock_hz=1e6)
        assert plan.interval <= limit
        assert network.total(options_of(plan, network)).area() == pytest.approx(best, rel=2e-3)


@pytest.mark.parametrize("seed", range(12))
def test_graphs_are_balanced(seed: int) -> None:
    """No single unit could be folded otherwise, still reach the rate, and make the whole smaller."""
    graph = simplify(random_dag(seed))
    family = list(FAMILIES.values())[seed % len(FAMILIES)]
    network = Network.of(graph, family, {})
    fastest = compile(graph, family=family.name).interval
    for limit in (fastest, 4 * fastest):
        plan = compile(graph, family=family.name, fps=1e6 / limit, clock_hz=1e6)
        assert plan.interval <= limit
        picked = options_of(plan, network)
        assert network.interval(picked) <= plan.interval
        least = network.total(picked).area()
        for index, unit in enumerate(network.units):
            if index == 0 or any(edge.same and edge.target == index for edge in network.edges):
                continue  # these two change together
            for option in unit.options:
                other = [*picked[:index], option, *picked[index + 1:]]
                assert network.interval(other) > limit or network.total(other).area() >= least * 0.998


def test_what_is_left_out_is_never_best() -> None:
    graph = simplify(random_graph(3, (4, 6, 4)))
    network = Network.of(graph, FAMILIES["ecp5"], {})
    for limit in (4, 8, 24):
        kept = network.within(limit).pruned(limit, timed=False)
        assert sum(len(unit.options) for unit in kept.units) < sum(len(unit.options) for unit in network.units)
        assert cheapest(kept, limit) == pytest.approx(cheapest(network, limit), rel=2e-3)


@pytest.mark.parametrize("seed", [1, 9, 26])
def test_queues_are_planned_for(seed: int) -> None:
    """Budgets at which a plan without queues would fit, and only some with them."""
    graph = random_dag(seed)
    for target in TARGETS:
        whole = compile(graph, target=target).predicted
        for share in (1.0, 1.1):
            budget = whole.scaled(share) + Resources(1, 1, 1, 1)
            try:
                plan = compile(graph, target=target, budget=budget)
            except FitError as error:
                assert error.excess or "more in combination" in str(error)
            else:
                assert not plan.predicted.excess(budget)


@pytest.mark.parametrize("seed", range(6))
def test_latencies_are_near_what_was_minimized(seed: int) -> None:
    """The least latency is not above that of other targets, except for what queues and uneven windows add."""
    graph = random_dag(seed)
    plans = {target: compile(graph, target=target) for target in TARGETS}
    assert plans["latency"].latency <= 1.2 * min(plan.latency for plan in plans.values()) + 8


def convolutions(channels: tuple[int, ...], side: int = 12) -> Graph:
    """A chain of ternary 3×3 convolutions with two-bit activations between them."""
    rng = np.random.default_rng(0)
    bits = Format(2)
    nodes: list[Node] = [Input("x", (), Tensor((side, side, 3), bits))]
    for index, (inputs, outputs) in enumerate(pairwise((3, *channels))):
        weights = rng.integers(-1, 2, (outputs, 3, 3, inputs))
        wide = Format.of_range(-27 * inputs, 27 * inputs)
        rows = np.sort(rng.integers(-9, 10, (outputs, 3)), axis=1)
        padded = Tensor((side + 2, side + 2, inputs), bits)
        nodes += [Pad(f"pad{index}", (nodes[-1].name,), padded, ((1, 1), (1, 1))),
                  Conv(f"conv{index}", (f"pad{index}",), Tensor((side, side, outputs), wide), weights, Format(2, True)),
                  Threshold(f"act{index}", (f"conv{index}",), Tensor((side, side, outputs), bits), rows)]
    return Graph("convolutions", tuple(nodes), nodes[-1].name)


def cheapest_of_a_chain(network: Network, limit: int) -> float:
    """The least area of a chain within ``limit`` cycles, unit by unit: the best for each width of what it gives."""
    family, best = network.family, {o.lanes_out: 0.0 for o in network.units[0].options if o.interval <= limit}
    for unit, edge in zip(network.units[1:], network.edges):
        after: dict[int, float] = {}
        for option in unit.options:
            if option.interval <= limit:
                simd = option.folding.simd
                area = min((spent + link(family, lanes, simd, edge.bits).area() for lanes, spent in best.items()
                            if edge.cycles(lanes, simd) <= limit), default=inf) + option.resources.area()
                after[option.lanes_out] = min(area, after.get(option.lanes_out, inf))
        best = after
    return min(best.values())


@pytest.mark.parametrize("limit", [4_000, 40_000])
def test_long_chains_are_solved_to_the_end(limit: int) -> None:
    graph = simplify(convolutions((8, 12, 8, 12, 8, 12, 8, 12)))
    network = Network.of(graph, FAMILIES["ecp5"], {}, limit=limit)
    plan = compile(graph, family="ecp5", fps=1e6 / limit, clock_hz=1e6)
    assert plan.interval <= limit
    best = cheapest_of_a_chain(network, limit)
    assert network.total(options_of(plan, network)).area() == pytest.approx(best, rel=1e-3)
