"""What reads files of others, with valid ones to begin from."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from bitloom.boards.board import load as load_board
from bitloom.boards.board import names as board_names
from bitloom.boards.build import compile_design
from bitloom.boards.compiled import load_build
from bitloom.boards.design import find_design, load_design, make_design
from bitloom.boards.protocol import Command, Deframer, Identity, Message
from bitloom.boards.report import read as read_report
from bitloom.boards.report import render
from bitloom.cli.arrays import read_array
from bitloom.quant import load, save
from bitloom.quant.archive import read_archive, write_archive
from bitloom.sweep import load_study

from ..graphs import random_graph
from .mutation import Rng, array_changed, bytes_changed, network_changed, text_changed

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Reader:
    """One kind of file: makes an input below a folder, and reads it."""

    name: str
    make: Callable[[Rng, Path], Path]
    read: Callable[[Path], object]


@cache
def _seeds() -> Path:
    """A folder with a valid file of each kind."""
    folder = Path(tempfile.mkdtemp(prefix="bitloom-fuzz-"))
    save(random_graph(3, (6, 4, 3)), folder / "graph.npz")
    compile_design(make_design(str(folder / "graph.npz"), "icestick", target="area"), folder / "build")
    return folder


def _texts(*texts: Callable[[], str]) -> Callable[[Rng, Path], Path]:
    def make(rng: Rng, folder: Path) -> Path:
        path = folder / "input.yaml"
        text = text_changed(rng, texts[int(rng.integers(len(texts)))]())
        data = text.encode("utf-8", "surrogatepass")
        path.write_bytes(bytes_changed(rng, data) if rng.integers(4) == 0 else data)
        return path

    return make


DESIGN = ("design: mine\nmodel: digits\nboard: icebreaker\ntarget: area\nfps: 1000\nutilization: 0.5\nlayers:\n"
          "  fc1: {pe: 4, simd: 8, memory: block}\n  fc2: {template: MatVec}\n")
STUDY = ("models: [digits, digits-ternary]\nboards: [icebreaker]\ntargets: [area]\nfps: [null, 1000]\n"
         "layers:\n  - {}\n  - {fc1: {pe: 4}}\nstage: estimate\n")


def _network() -> str:
    return (ROOT / "examples" / "digits" / "network.yaml").read_text(encoding="utf-8")


def _board() -> str:
    return (ROOT / "boards" / f"{board_names()[0]}.yaml").read_text(encoding="utf-8")


def _archive(source: Callable[[], Path]) -> Callable[[Rng, Path], Path]:
    def make(rng: Rng, folder: Path) -> Path:
        path = folder / "input.npz"
        if rng.integers(3) == 0:
            path.write_bytes(bytes_changed(rng, source().read_bytes()))
            return path
        header, arrays = read_archive(source())
        changed = dict(arrays)
        for name in [str(n) for n in rng.permutation(sorted(changed))[: int(rng.integers(0, 3))]]:
            changed[name] = array_changed(rng, changed[name])
        if rng.integers(2):
            try:
                header = json.loads(text_changed(rng, json.dumps(header, indent=0)))
            except ValueError:
                header = {"bitloom": 1, "nodes": [[]]}
        write_archive(path, header, changed)
        return path

    return make


def _checkpoint(path: Path) -> object:
    from bitloom.quant.train import load_checkpoint, load_spec

    return load_checkpoint(path, load_spec(ROOT / "examples" / "digits" / "network.yaml"))


def _onnx(rng: Rng, folder: Path) -> Path:
    from ..onnx_models import CASES, GENERAL

    names = sorted(CASES)
    model = CASES[names[int(rng.integers(len(names)))]](GENERAL).model
    path = folder / "input.onnx"
    data = network_changed(rng, model).SerializeToString()
    path.write_bytes(bytes_changed(rng, data) if rng.integers(4) == 0 else data)
    return path


def _import(path: Path) -> object:
    from bitloom.quant.qonnx import import_qonnx

    return import_qonnx(path, check=0)


def _samples(rng: Rng, folder: Path) -> Path:
    kind = (".npy", ".npz", ".csv")[int(rng.integers(3))]
    path = folder / f"input{kind}"
    array = rng.integers(0, 9, (5, 4))
    if rng.integers(2):
        array = array_changed(rng, array)
    if kind == ".csv":
        path.write_bytes(text_changed(rng, "1,2,3,4\n5,6,7,8\n0.5,1e9,-3,4\n").encode("utf-8", "surrogatepass"))
        return path
    with path.open("wb") as file:
        np.save(file, array) if kind == ".npy" else np.savez_compressed(file, x=array)
    if rng.integers(2):
        path.write_bytes(bytes_changed(rng, path.read_bytes()))
    return path


def _build(rng: Rng, folder: Path) -> Path:
    out = folder / "build"
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(_seeds() / "build", out)
    name = ("report.json", "manifest.json", "design.yaml", "graph.npz")[int(rng.integers(4))]
    data = (out / name).read_bytes()
    if name.endswith(".json") and rng.integers(3):
        data = text_changed(rng, data.decode()).encode("utf-8", "surrogatepass")
    else:
        data = bytes_changed(rng, data)
    (out / name).write_bytes(data)
    return out


def _read_build(path: Path) -> object:
    read_report(path)
    render(path)
    return load_build(path)


def _frames(rng: Rng, folder: Path) -> Path:
    path = folder / "frames"
    frames = [Message(int(rng.choice([*Command])), int(rng.integers(256)), bytes(rng.integers(0, 256, 9, np.uint8)))
              for _ in range(3)]
    data = b"".join(frame.to_frame() for frame in frames)
    path.write_bytes(bytes_changed(rng, data) if rng.integers(8) else bytes(rng.integers(0, 256, 200, np.uint8)))
    return path


def _deframe(path: Path) -> object:
    found = Deframer().feed(path.read_bytes())
    for message in found:
        try:
            Identity.from_bytes(message.body)
        except ValueError as error:  # what the client turns into its own words
            assert len(str(error).splitlines()) == 1
    return found


READERS = {reader.name: reader for reader in (
    Reader("design", _texts(lambda: DESIGN), load_design),
    Reader("request", _texts(lambda: DESIGN), lambda path: find_design(str(path))),
    Reader("board", _texts(_board), load_board),
    Reader("network", _texts(_network), lambda path: __import__("bitloom.quant.train", fromlist=["x"]).load_spec(path)),
    Reader("study", _texts(lambda: STUDY), load_study),
    Reader("graph", _archive(lambda: _seeds() / "graph.npz"), load),
    Reader("checkpoint", _archive(lambda: ROOT / "examples" / "digits" / "checkpoint.npz"), _checkpoint),
    Reader("onnx", _onnx, _import),
    Reader("samples", _samples, lambda path: np.asarray(read_array(path, "x"))),
    Reader("build", _build, _read_build),
    Reader("frames", _frames, _deframe),
)}
"""By name."""
