"""The comparison that belongs to an import: kept with the graph, bounded in time, said where it is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("qonnx")
import onnx
from support.imports import imported_from
from support.onnx_models import CASES, GENERAL, Net

from bitloom import WorkError
from bitloom.quant import MatMul, files, load, save
from bitloom.quant.provenance import uncompared, warning
from bitloom.quant.qonnx import checked, executors, import_qonnx, importer
from bitloom.quant.qonnx import compare as comparing


@pytest.fixture
def path(tmp_path: Path) -> Path:
    onnx.save(CASES["gemm"](GENERAL).model, tmp_path / "gemm.onnx")
    return tmp_path / "gemm.onnx"


def test_what_was_compared_is_kept_with_the_graph(path: Path, tmp_path: Path) -> None:
    imported = import_qonnx(path)
    facts = imported.graph.metadata["compared"]
    assert isinstance(facts, dict) and imported.compared is not None
    assert facts["reference"] == "QONNX's executor" and "qonnx" in facts["version"]
    assert facts["samples"] == facts["wanted"] > 32 and facts["mismatches"] == 0
    assert facts["places"] == len(imported.compared.rows) and facts["elements"] > 100
    assert facts["least_reached"]["levels"] >= facts["least_reached"]["seen"] > 1
    assert uncompared(imported.graph) == "" == warning(imported.graph, strict=True)
    save(imported.graph, tmp_path / "graph.npz")
    assert load(tmp_path / "graph.npz").metadata["compared"] == facts


def test_a_graph_that_was_not_compared_says_why(path: Path) -> None:
    graph = import_qonnx(path, check=0).graph
    assert graph.metadata["compared"] == {"reference": None, "reason": "no samples were asked for"}
    assert warning(graph) == "this network was imported without a comparison: no samples were asked for"
    with pytest.raises(WorkError, match=r"without a comparison: .* \(--strict\)"):
        warning(graph, strict=True)


def test_a_graph_of_which_nothing_is_known_was_not_compared() -> None:
    graph = imported_from(CASES["gemm"](GENERAL)).graph
    assert "import it again" in uncompared(graph)


def test_a_network_that_was_not_imported_needs_none() -> None:
    from dataclasses import replace

    graph = imported_from(CASES["gemm"](GENERAL)).graph
    assert uncompared(replace(graph, metadata={"dataset": "digits"})) == ""


def test_where_nothing_runs_the_file_the_graph_is_there_and_says_so(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "find_spec", lambda package: None)
    imported = import_qonnx(path)
    assert imported.compared is None and imported.graph.nodes
    assert "nothing here can run the file: QONNX's executor needs qonnx" in uncompared(imported.graph)


def test_real_numbers_beyond_float32_are_not_compared() -> None:
    model = CASES["pixels"](GENERAL).model
    imported = checked.checked(imported_from(model, input_scale=1e37), model)
    assert "beyond what float32 holds" in uncompared(imported.graph)


def test_a_graph_that_differs_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    given = importer.verify
    monkeypatch.setattr(importer, "verify", lambda graph: given(graph.with_nodes(
        [replace(n, weights=-n.weights) if isinstance(n, MatMul) else n for n in graph])))
    with pytest.raises(WorkError, match=r"gemm.onnx: graph and file must agree, and at t\d+ \(node act1\)"):
        import_qonnx(path)
    with pytest.raises(WorkError, match="must agree"):
        files.read(path)
    assert import_qonnx(path, check=0).graph.nodes


def test_time_ends_a_comparison_after_some_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of whatever kind: random and directed samples take turns."""
    net = Net(0, (6,), GENERAL)
    x = net.add("Reshape", net.add("Reshape", net.quant("x", 0.25, 4), np.array([6])), np.array([1, 6]))
    model = net.model(net.quant(net.dense(x, 6, 3), 0.5, 4))
    monkeypatch.setattr(checked, "SECONDS", 0.0)
    told: list[str] = []
    found = checked.checked(imported_from(model), model, None, told.append).compared
    assert found is not None and found.samples == comparing.LEAST < found.wanted
    assert f"{comparing.LEAST} of {found.wanted} (for time) samples" in found.lines()[0]
    assert told[-1] == f"{comparing.LEAST} of {found.wanted} samples"
    found = checked.checked(imported_from(model), model, 5).compared
    assert found is not None and found.samples == found.wanted  # who says how many gets them


def test_great_inputs_have_fewer_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    model = CASES["gemm"](GENERAL).model
    monkeypatch.setattr(checked, "ELEMENTS", 60)
    found = checked.checked(imported_from(model), model).compared
    assert found is not None and 10 <= found.wanted <= 15


def test_a_file_is_imported_once_for_all_readers(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = files.read(path)
    assert files.read(path) is first and uncompared(first) == ""
    assert files.read(path, 0) is not first
    onnx.save(CASES["perceptron"](GENERAL).model, path)
    assert len(files.read(path).nodes) > len(first.nodes)
