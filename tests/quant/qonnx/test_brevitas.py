"""Brevitas modules become integer graphs that agree with QONNX's executor, and with the modules themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("qonnx")
pytest.importorskip("onnxoptimizer")
import onnx
from brevitas.export import export_qonnx
from support.brevitas_models import MODULES, made
from support.imports import agree, imported_from

from bitloom.quant import run
from bitloom.quant.qonnx import ImportFailure, import_module
from bitloom.quant.qonnx.samples import random_integers, real_inputs

BOTH_EXPORTERS = ("residual", "pools")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def exported(name: str, folder: Path, **options: bool) -> onnx.ModelProto:
    module, shape = made(name)
    path = folder / f"{name}.onnx"
    export_qonnx(module, args=torch.zeros(shape), export_path=str(path), **options)
    return onnx.load(path)


@pytest.mark.parametrize("name", MODULES)
def test_every_kind_of_module_agrees_with_the_executor(name: str, tmp_path: Path) -> None:
    model = exported(name, tmp_path, dynamo=False)
    agree(imported_from(model), model, count=40)


@pytest.mark.parametrize("name", BOTH_EXPORTERS)
def test_what_torchs_newer_exporter_writes_agrees_as_well(name: str, tmp_path: Path) -> None:
    model = exported(name, tmp_path, dynamo=True, verbose=False)
    agree(imported_from(model), model, count=20)


def test_a_module_is_imported_as_it_is(tmp_path: Path) -> None:
    """Against the module itself, where float32 is exact: its scales are powers of two."""
    module, shape = made("fixed_point")
    module.train()
    imported = import_module(module, torch.zeros(shape), name="mine")
    assert module.training and imported.graph.name == "mine"
    integers = random_integers(imported.graph, 50)
    real = real_inputs(imported, exported("fixed_point", tmp_path, dynamo=False), integers)
    with torch.no_grad():
        own = module.eval()(torch.from_numpy(real)).numpy()
    found = run(imported.graph, integers)
    assert np.array_equal(imported.real(imported.graph.output, found), own)


class Wild(torch.nn.Module):
    """What no exporter knows."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Leaves torch."""
        return torch.from_numpy(np.linalg.svd(x.numpy())[1])


def test_what_cannot_be_exported_is_one_line() -> None:
    with pytest.raises(ImportFailure) as caught:
        import_module(Wild(), torch.zeros(1, 3, 3))
    assert "Wild" in str(caught.value) and "\n" not in str(caught.value)
