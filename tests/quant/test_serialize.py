"""A graph survives its file; a damaged file is one clear line and never a traceback or code that runs."""

import io
import json
import zipfile
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from bitloom.quant import Graph, GraphError, load, run, save


def same(a: Graph, b: Graph) -> bool:
    """Equal in everything: names, types, constants, classes, metadata."""
    facts = [(g.name, g.output, g.classes, g.metadata, [type(n) for n in g]) for g in (a, b)]
    values = [[getattr(node, f.name) for node in g for f in fields(node)] for g in (a, b)]
    return facts[0] == facts[1] and all(np.array_equal(x, y) if isinstance(x, np.ndarray) else x == y
                                        for x, y in zip(*values))


@pytest.fixture
def file(small_graph: Graph, tmp_path: Path) -> Path:
    save(small_graph, tmp_path / "graph.npz")
    return tmp_path / "graph.npz"


def test_round_trip(small_graph: Graph, file: Path) -> None:
    loaded = load(file)
    assert same(loaded, small_graph)
    assert str(loaded) == str(small_graph)
    samples = np.random.default_rng(1).integers(0, 8, (100, 3))
    assert np.array_equal(run(loaded, samples), run(small_graph, samples))


def test_the_same_graph_gives_the_same_bytes(small_graph: Graph, file: Path, tmp_path: Path) -> None:
    save(small_graph, tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == file.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.npz", "graph.npz"]


def test_saving_replaces_only_when_whole(small_graph: Graph, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = file.read_bytes()

    def interrupted(stream: io.IOBase, **_: object) -> None:
        stream.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez_compressed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(small_graph, file)
    assert file.read_bytes() == before
    assert [p.name for p in file.parent.iterdir()] == ["graph.npz"]


def refuse(path: Path, *words: str) -> None:
    with pytest.raises(GraphError) as caught:
        load(path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    for word in words:
        assert word in message


def test_no_file(tmp_path: Path) -> None:
    refuse(tmp_path / "none.npz", "there is no such file", "bitloom train")


def test_a_folder(tmp_path: Path) -> None:
    refuse(tmp_path, "IsADirectoryError")


@pytest.mark.parametrize("content", [b"", b"not a zip at all", b"PK\x03\x04" + bytes(50)])
def test_not_an_archive(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "graph.npz"
    path.write_bytes(content)
    refuse(path, "not an integer graph, or damaged")


def test_truncated_anywhere(file: Path) -> None:
    whole = file.read_bytes()
    for size in range(0, len(whole), 37):
        file.write_bytes(whole[:size])
        refuse(file, "not an integer graph, or damaged")


def test_any_changed_byte_is_an_error_or_changes_nothing(small_graph: Graph, file: Path) -> None:
    whole = file.read_bytes()
    for at in range(0, len(whole), 11):
        broken = bytearray(whole)
        broken[at] ^= 0x55
        file.write_bytes(bytes(broken))
        try:
            loaded = load(file)
        except GraphError as error:
            assert "\n" not in str(error)
        else:
            assert same(loaded, small_graph)


def rewrite(path: Path, **changes: object) -> None:
    """Replace members of the archive: arrays, or None to leave one out; ``header`` is a function of the header."""
    with np.load(path) as archive:
        members = {name: archive[name] for name in archive.files}
    header = json.loads(str(members["header"]))
    for name, value in changes.items():
        if name == "header":
            header = value(header)
            members["header"] = np.array(json.dumps(header))
        elif value is None:
            del members[name]
        else:
            members[name] = value
    np.savez_compressed(path, **members)


def test_missing_array(file: Path) -> None:
    rewrite(file, **{"fc1.weights": None})
    refuse(file, "fc1.weights")


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.5])
def test_arrays_that_are_not_integers(file: Path, bad: float) -> None:
    rewrite(file, **{"fc1.weights": np.full((2, 3), bad)})
    refuse(file, "values that are not integers")


def test_an_array_of_another_shape_meets_the_verifier(file: Path) -> None:
    rewrite(file, **{"fc1.weights": np.ones((2, 4), dtype=np.int64)})
    refuse(file, "'fc1': weights (2, 4) do not map (3,) to (2,)")


def test_pickled_objects_are_refused(file: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return pytest.fail, ("a pickle ran",)

    rewrite(file, **{"fc1.weights": np.array([Trap()], dtype=object)})
    refuse(file, "fc1.weights': holds elements of type object, not numbers")


def dropped(key: str) -> object:
    return lambda header: {k: v for k, v in header.items() if k != key}


def with_first_node(**values: object) -> object:
    return lambda header: {**header, "nodes": [{**header["nodes"][0], **values}, *header["nodes"][1:]]}


@pytest.mark.parametrize(
    ("change", "words"),
    [(dropped("nodes"), "KeyError: 'nodes'"), (dropped("bitloom"), "KeyError: 'bitloom'"),
     (lambda h: [1], "not a mapping"),
     (lambda h: {**h, "bitloom": 99}, "graph format 99, and this bitloom reads 1"),
     (lambda h: {**h, "nodes": [1, 2]}, "TypeError"), (lambda h: {**h, "nodes": None}, "TypeError"),
     (with_first_node(op="Softmax"), "KeyError: 'Softmax'"), (with_first_node(colour="red"), "colour"),
     (with_first_node(output={"shape": [3], "format": [99], "scale": []}), "bits must be 1 to 63, not 99"),
     (with_first_node(output="u3"), "TypeError")],
)
def test_a_header_of_another_kind(file: Path, change: object, words: str) -> None:
    rewrite(file, header=change)
    refuse(file, words)


def test_no_header(file: Path) -> None:
    rewrite(file)
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist() if name != "header.npy"}
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    refuse(file, "it has no header")


def test_a_broken_graph_is_not_saved(small_graph: Graph, tmp_path: Path) -> None:
    with pytest.raises(GraphError, match="output 'gone'"):
        save(small_graph.with_nodes(small_graph.nodes, "gone"), tmp_path / "graph.npz")
    assert list(tmp_path.iterdir()) == []
