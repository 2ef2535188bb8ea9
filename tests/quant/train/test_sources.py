"""MNIST, NSL-KDD and the generated CAN traffic: what their samples are, and what is refused."""

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bitloom.quant import Format, Graph, Input, Tensor
from bitloom.quant.train import load
from bitloom.quant.train.data import SOURCES, DataUnavailable, can, can_traffic, files, mnist, nsl_kdd
from bitloom.quant.train.data.can import ANY, SAME, parse
from bitloom.quant.train.data.can_traffic import MESSAGES, Frame, traffic

RECORD = ("0,tcp,http,SF,232,8153,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,5,5,0.20,0.20,0.00,0.00,1.00,0.00,0.00,30,255,1.00,"
          "0.00,0.03,0.04,0.03,0.01,0.00,0.01,normal,21")
"""A record of the training file."""


def need(name: str) -> None:
    if not SOURCES[name].at_hand:
        pytest.skip(f"the files of {name} are not at hand; name a folder that holds them in BITLOOM_DATA")


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder of the test's own, and nothing else."""
    monkeypatch.setenv("BITLOOM_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(files, "BESIDE", tmp_path / "beside")
    for loader in (mnist._mnist, nsl_kdd._nsl_kdd):
        loader.cache_clear()
    yield tmp_path
    for loader in (mnist._mnist, nsl_kdd._nsl_kdd):
        loader.cache_clear()


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_what_is_known_before_loading_holds(name: str) -> None:
    need(name)
    source, data = SOURCES[name], load(name)
    for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test), *data.more.values()):
        assert x.shape == (len(y), source.features) and x.dtype.kind in "iu" and y.dtype == np.int64
        assert x.min() >= 0 and x.max() <= source.top and source.input_format.holds(x)
        assert set(np.unique(y)) <= set(range(len(source.classes))) and not x.flags.writeable
    assert data.x_test.dtype == np.int64 and data.x_test.max() == source.top
    assert set(np.unique(data.y_test)) == set(range(len(source.classes)))


def test_mnist() -> None:
    need("mnist")
    data = load("mnist")
    assert len(data.x_train) == 60000 and len(data.x_test) == 10000
    assert data.y_test[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    digest = hashlib.sha256(b"\0\0\x08\x03\0\0\x27\x10\0\0\0\x1c\0\0\0\x1c" + data.x_test.astype(np.uint8).tobytes())
    assert digest.hexdigest() == "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"  # t10k-images-idx3


@pytest.mark.parametrize(("arrays", "message"), [
    ({"x_train": np.zeros(3)}, r"must be MNIST as a NumPy archive of x_train, y_train, x_test, y_test \("),
    (dict.fromkeys(mnist.KEYS, np.zeros(3)), "its images and labels must be those of MNIST, and are not; fetch https:"),
])
def test_another_mnist_is_refused(nowhere: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(nowhere / "mnist.npz", **arrays)
    with pytest.raises(DataUnavailable, match=message):
        load("mnist")
    (nowhere / "mnist.npz").write_bytes(b"PK\x03\x04 not an archive")
    with pytest.raises(DataUnavailable, match="must be MNIST as a NumPy archive"):
        load("mnist")


def test_nsl_kdd() -> None:
    need("nsl-kdd")
    data = load("nsl-kdd")
    (x, y), = data.more.values()
    assert len(data.x_train) + len(x) == 25192 and len(data.x_test) == 22544
    assert int(data.y_train.sum() + y.sum()) == 25192 - 13449 and int(data.y_test.sum()) == 22544 - 9711


def test_a_changed_record_is_refused(nowhere: Path) -> None:
    (nowhere / "nsl-kdd").mkdir()
    (nowhere / nsl_kdd.TRAIN.path).write_text(RECORD)
    with pytest.raises(DataUnavailable, match=r"KDDTrain\+_20Percent.txt: must be the file of https://raw.* whose SHA"):
        load("nsl-kdd")


def test_records_become_levels_and_marks() -> None:
    record, changed = RECORD.split(","), RECORD.split(",")
    changed[1:5] = ["icmp", "eco_i", "S3", "50"]
    code, other = nsl_kdd.encode([record, changed])
    assert code.shape == (72,) == SOURCES["nsl-kdd"].shape
    assert code[:7].tolist() == [0, 0, 3, 1, 0, 3, 3]  # 0 s, 232 bytes, 8,153 bytes (of 8,000)
    assert other[2:5].tolist() == [3, 0, 0]
    first = 72 - 3 - 15 - 7
    assert code[first:].tolist() == [3, 0, 0, 3, *[0] * 14, 3, *[0] * 6]
    assert other[first:].tolist() == [0, 0, 3, *[0] * 5, 3, *[0] * 9, *[0] * 6, 3]


def test_edges_ascend_by_threes() -> None:
    assert all(len(edges) % 3 == 0 and list(edges) == sorted(edges) for edges in nsl_kdd.EDGES.values())


def test_the_parser_of_frames() -> None:
    frames = [Frame(0.0, 0x7F3, b"\x81\x02"), Frame(0.0003, 0x001, b""), Frame(0.0021, 0x7F3, bytes(range(8)))]
    rows = parse(frames)
    assert rows.shape == (3, 96) == (3, can.FEATURES)
    text = ["".join(map(str, row)) for row in rows]
    assert text[0] == "11111110011" + "0010" + "10000001" + "00000010" + "0" * 48 + "1" * 12 + "1" * 5
    assert text[1] == "00000000001" + "0000" + "0" * 64 + "1" * 12 + "11000"
    assert text[2] == "11111110011" + "1000" + "".join(f"{b:08b}" for b in range(8)) + "111" + "0" * 9 + "11110"
    assert len(SAME) == 12 and len(ANY) == 5


def test_the_same_seed_gives_the_same_traffic() -> None:
    assert traffic(5, 3.0) == traffic(5, 3.0) != traffic(6, 3.0)


def test_the_bus_carries_one_frame_at_a_time_by_priority() -> None:
    frames = traffic(7, 16.0)
    assert {frame.kind for frame in frames} == {0, 1, 2, 3, 4}
    for frame, following in itertools.pairwise(frames):
        assert following.time - frame.time >= (47 + 8 * len(frame.payload)) * 2e-6
    periods = {message.identifier: message.period for message in MESSAGES}
    assert {frame.identifier for frame in frames if frame.kind == 0} == set(periods)
    calm = [frame for frame in frames if frame.kind == 0 and frame.time < 1.5]
    for message in MESSAGES:
        times = [frame.time for frame in calm if frame.identifier == message.identifier]
        assert all(0.8 * message.period < gap < 1.2 * message.period for gap in np.diff(times)[np.diff(times) > 0])


def test_attacks_are_what_they_are_called() -> None:
    frames = traffic(8, 16.0)
    kinds = {kind: [frame for frame in frames if frame.kind == kind] for kind in range(5)}
    assert {(frame.identifier, frame.payload) for frame in kinds[1]} == {(0, bytes(8))}
    assert len({frame.identifier for frame in kinds[2]}) > 200
    assert len({(frame.identifier, frame.payload) for frame in kinds[3]}) == 1
    assert kinds[3][0].identifier in can_traffic.SPOOFED
    sent = {(frame.identifier, frame.payload) for frame in kinds[0]}
    assert kinds[4] and all((frame.identifier, frame.payload) in sent for frame in kinds[4])


def test_generated_data_says_so() -> None:
    assert "GENERATED" in SOURCES["can-generated"].note and "generated" in "can-generated"
    assert [name for name, source in SOURCES.items() if source.note] == ["can-generated"]


def test_samples_for_boards(nowhere: Path) -> None:
    from bitloom.cli.samples import held_out
    from bitloom.sim.vectors import samples_for

    def graph(name: str, *shape: int) -> Graph:
        x = Input("x", (), Tensor(shape, Format(SOURCES[name].input_format.bits)))
        return Graph("g", (x,), "x", metadata={"dataset": name})

    found = held_out(graph("digits", 8, 8, 1))
    assert found is not None and found.inputs.shape == (450, 64) and found.image == (8, 8)
    found = held_out(graph("can-generated", 96))
    assert found is not None and found.image is None and len(found.inputs) == len(found.labels) > 10000
    assert held_out(graph("mnist", 28, 28, 1), download=False) is None
    assert held_out(graph("digits", 63)) is None
    (nowhere / "mnist.npz").write_bytes(b"")
    assert held_out(graph("mnist", 784)) is None
    assert "random samples" in samples_for(graph("mnist", 784), 5, 0).source
    assert "must be MNIST" in samples_for(graph("mnist", 784), 5, 0).source
