"""The ladder's level ``model`` for imported networks: their ONNX file in QONNX's executor against the built graph."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.data import data_file
from support.onnx_models import CASES, GENERAL, U8, Net

pytest.importorskip("qonnx")
import onnx
from onnx import ModelProto

from bitloom.quant import Graph, MatMul
from bitloom.quant.qonnx import executors, import_qonnx
from bitloom.sim.levels import Unavailable
from bitloom.sim.rungs.imported import HELD_OUT, verify_imported
from bitloom.sim.rungs.model import _imported


def saved(folder: Path, model: ModelProto) -> Path:
    onnx.save(model, folder / "network.onnx")
    return folder / "network.onnx"


@pytest.mark.parametrize(("name", "options"), [
    ("convolutions", {}), ("convolutions", {"requantize": "fixed"}),
    ("pixels", U8), ("pixels", {}), ("zero_points", {}), ("integer_operators", {}),
])
def test_what_was_imported_is_compared_again(tmp_path: Path, name: str, options: dict[str, object]) -> None:
    path = saved(tmp_path, CASES[name](GENERAL).model)
    graph = import_qonnx(path, name="mine", **options).graph  # type: ignore[arg-type]
    findings = verify_imported(graph, path, 30)
    assert findings.mismatches == 0 and findings.wrong == () and findings.samples > 30
    assert "30 random" in findings.compared and "directed" in findings.compared and "held-out" not in findings.compared
    assert "QONNX's executor" in findings.compared and findings.result("model", 0.1).status == "passed"


def test_held_out_samples_go_through_where_they_are_known() -> None:
    path = data_file("qonnx/TFC_1W1A.onnx")
    data_file("mnist.npz")
    graph = import_qonnx(path).graph
    graph = replace(graph, metadata={**graph.metadata, "dataset": "mnist"})
    findings = verify_imported(graph, path, None)
    assert findings.wrong == () and f"{HELD_OUT} held-out" in findings.compared


def test_a_graph_that_was_changed_is_not_the_networks(tmp_path: Path) -> None:
    path = saved(tmp_path, CASES["gemm"](GENERAL).model)
    graph = import_qonnx(path).graph
    nodes = [replace(n, weights=-n.weights) if isinstance(n, MatMul) else n for n in graph]
    findings = verify_imported(graph.with_nodes(nodes), path, 5)
    assert "another graph" in findings.wrong[0] and findings.result("model", 0.1).status == "failed"


def test_a_wrong_import_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bitloom.quant.qonnx import importer

    def wrong(graph: Graph) -> Graph:
        return graph.with_nodes([replace(n, weights=-n.weights) if isinstance(n, MatMul) else n for n in graph])

    path = saved(tmp_path, CASES["gemm"](GENERAL).model)
    monkeypatch.setattr(importer, "verify", wrong)
    findings = verify_imported(import_qonnx(path, check=0).graph, path, 20)
    assert findings.mismatches > 0 and any("differ from node act1" in line for line in findings.wrong)


def test_without_the_executor_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, CASES["gemm"](GENERAL).model)
    graph = import_qonnx(path).graph
    monkeypatch.setattr(executors, "find_spec", lambda package: None)
    with pytest.raises(Unavailable, match="pip install"):
        verify_imported(graph, path, 5)


def test_which_network_a_model_means(tmp_path: Path) -> None:
    path = saved(tmp_path, Net(0, (2,)).model("x"))
    assert _imported(path) == path and _imported(tmp_path) == path and _imported(str(tmp_path)) == path
    assert _imported(None) is None and _imported("digits") is None
    (tmp_path / "network.yaml").touch()
    assert _imported(tmp_path) is None
