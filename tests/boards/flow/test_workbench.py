"""A step is done once for the same inputs, and leaves nothing half done whatever happens to it."""

import errno
import os
from pathlib import Path

import pytest

from bitloom import WorkError
from bitloom.boards.board import load
from bitloom.boards.flow import Workbench, workbench


@pytest.fixture
def bench(tmp_path):
    return Workbench(load("icebreaker"), tmp_path / "out", obsolete=[tmp_path / "out" / "old.bin"])


class Work:
    """Writes ``a`` and ``b`` with how often it ran; ``error`` is raised in between."""

    def __init__(self, bench: Workbench, error: BaseException | None = None):
        self.bench, self.error, self.count = bench, error, 0

    def __call__(self, folder: Path, step: object) -> dict[str, int]:
        self.count += 1
        self.bench.seconds["step"] = 1.5
        (folder / "a").write_text(f"a{self.count}")
        if self.error:
            raise self.error
        (folder / "b").write_text(f"b{self.count}")
        (folder / "scratch").write_text("")
        return {"count": self.count}


def left(bench: Workbench) -> set[str]:
    return {p.name for p in bench.out.iterdir()}


def test_the_same_inputs_are_worked_once(bench):
    work = Work(bench)
    assert bench.step("step", ["x", b"y"], ["a", "b"], work) == {"count": 1}
    assert bench.fresh == {"step"} and left(bench) == {"a", "b", "cache.json"}

    again = Workbench(bench.board, bench.out)
    assert again.step("step", ["x", b"y"], ["a", "b"], work) == {"count": 1}
    assert again.fresh == set() and again.seconds == {"step": 1.5} and work.count == 1


@pytest.mark.parametrize("inputs", [["x"], ["x", b"z"], ["xy"], ["xy", ""]])
def test_other_inputs_are_worked_again(bench, inputs):
    work = Work(bench)
    bench.step("step", ["x", b"y"], ["a", "b"], work)
    assert bench.step("step", inputs, ["a", "b"], work) == {"count": 2}
    assert (bench.out / "a").read_text() == "a2"


@pytest.mark.parametrize("spoil", ["edit", "remove", "damage the cache"])
def test_products_that_changed_are_made_again(bench, spoil):
    work = Work(bench)
    bench.step("step", ["x"], ["a", "b"], work)
    if spoil == "edit":
        (bench.out / "b").write_text("edited")
    elif spoil == "remove":
        (bench.out / "b").unlink()
    else:
        (bench.out / "cache.json").write_text('{"step": ')
    assert bench.step("step", ["x"], ["a", "b"], work) == {"count": 2}
    assert (bench.out / "b").read_text() == "b2"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143), WorkError("tool failed")])
def test_what_stops_in_mid_work_leaves_the_old_products(bench, error):
    bench.step("step", ["x"], ["a", "b"], Work(bench))
    with pytest.raises(type(error)):
        bench.step("step", ["other"], ["a", "b"], Work(bench, error))
    assert left(bench) == {"a", "b", "cache.json"}
    assert (bench.out / "a").read_text() == "a1"


@pytest.mark.parametrize("where", ["work", "fsync", "replace"])
def test_a_full_disk_is_one_line_and_leaves_the_old_products(bench, monkeypatch, where):
    bench.step("step", ["x"], ["a", "b"], Work(bench))
    full = OSError(errno.ENOSPC, "No space left on device")

    def fail(*args: object, **kwargs: object) -> None:
        raise full

    if where != "work":
        monkeypatch.setattr(os, where, fail)
    with pytest.raises(WorkError, match="no space left on the disk"):
        bench.step("step", ["other"], ["a", "b"], Work(bench, full if where == "work" else None))
    assert left(bench) == {"a", "b", "cache.json"}
    assert (bench.out / "a").read_text() == "a1"


def test_products_are_not_trusted_when_the_disk_is_full(bench, monkeypatch):
    monkeypatch.setattr(workbench, "MARGIN_BYTES", 1 << 62)
    with pytest.raises(WorkError, match=r"no space left on the disk at .*out"):
        bench.step("step", ["x"], ["a", "b"], Work(bench))
    assert left(bench) == set()


def test_a_product_that_was_not_written_is_missed(bench):
    with pytest.raises(WorkError, match=r"step: c was not written \(logs: .*logs\)"):
        bench.step("step", ["x"], ["a", "c"], Work(bench))
    assert left(bench) == set()


def test_an_obsolete_bitstream_goes_before_anything_is_done_anew(bench):
    old = bench.out / "old.bin"
    work = Work(bench)
    bench.step("step", ["x"], ["a", "b"], work)
    old.write_text("")
    bench.step("step", ["x"], ["a", "b"], work)
    assert old.exists()
    with pytest.raises(KeyboardInterrupt):
        bench.step("step", ["other"], ["a", "b"], Work(bench, KeyboardInterrupt()))
    assert not old.exists()


def test_versions_for_the_report(bench):
    assert set(bench.tools) == {"yosys", "nextpnr-ice40", "icepack"}
    assert all(bench.tools.values())
