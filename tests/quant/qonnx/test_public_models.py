"""Public trained networks: every quantizer on real images, and the accuracy that QONNX's executor has."""

from __future__ import annotations

import numpy as np
import pytest
from support.data import data_file

pytest.importorskip("qonnx")

from bitloom.quant import run
from bitloom.quant.qonnx import import_qonnx
from bitloom.quant.qonnx.compare import compare
from bitloom.quant.qonnx.model import read
from bitloom.quant.qonnx.samples import extreme_integers, random_integers, real_inputs


def mnist() -> tuple[np.ndarray, np.ndarray]:
    with np.load(data_file("mnist.npz")) as archive:
        return archive["x_test"].astype(np.int64)[..., None], archive["y_test"].astype(np.int64)


@pytest.mark.parametrize(("name", "errors"), [("TFC_1W1A", 704), ("TFC_2W2A", 340)])
def test_perceptrons_of_mnist(name: str, errors: int) -> None:
    path = data_file(f"qonnx/{name}.onnx")
    images, labels = mnist()
    imported, model = import_qonnx(path), read(path)
    integers = np.concatenate([images[:500], extreme_integers(imported.graph), random_integers(imported.graph, 50)])
    rows = compare(imported, model, real_inputs(imported, model, integers)).rows
    assert [row for row in rows if row.mismatches or row.ties] == []
    assert len(rows) == 7 and all(row.samples == len(integers) for row in rows)
    assert int((run(imported.graph, images).argmax(axis=-1) != labels).sum()) == errors


def test_the_keyword_spotter() -> None:
    path = data_file("qonnx/mlperf_kws_w3a3.onnx")
    imported, model = import_qonnx(path), read(path)
    assert imported.graph.input.output.format.bits == 8
    rng = np.random.default_rng(0)
    features = np.clip(np.rint(rng.normal(0, 30, (300, 10, 49, 1))), -127, 127).astype(np.int64)
    integers = np.concatenate([features, extreme_integers(imported.graph), random_integers(imported.graph, 100)])
    rows = compare(imported, model, real_inputs(imported, model, integers)).rows
    assert [row for row in rows if row.mismatches] == []
    assert [row.node for row in rows][:4] == ["input", "act1", "act2", "act3"] and "(class)" in rows[-1].quantizer
    assert sum(row.ties for row in rows) < 10
