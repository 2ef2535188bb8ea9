"""``report.json``: merged, checked, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bitloom import RequestError, WorkError
from bitloom.boards import files
from bitloom.boards.report import read, update


def test_sections_merge_entry_by_entry_and_all_else_is_replaced(tmp_path: Path) -> None:
    update(tmp_path, {"lut": 100, "seconds": {"synthesis": 3.0}, "tools": {"yosys": "0.70"}, "stage": "synthesis"})
    failed = {"samples": 3, "mismatches": 1, "status": "failed", "reason": "a bit differs"}
    update(tmp_path, {"lut": 90, "seconds": {"route": 9.0}, "stage": "route", "levels": {"rtl": failed}})
    whole = update(tmp_path, {"levels": {"rtl": {"samples": 5, "mismatches": 0, "seconds": 1.5}}})
    assert whole == read(tmp_path) == {
        "lut": 90, "seconds": {"synthesis": 3.0, "route": 9.0}, "tools": {"yosys": "0.70"}, "stage": "route",
        "levels": {"rtl": {"samples": 5, "mismatches": 0, "seconds": 1.5}},
    }


def test_a_folder_without_a_report_reads_as_empty(tmp_path: Path) -> None:
    assert read(tmp_path / "nowhere") == {}


@pytest.mark.parametrize(("values", "message"), [
    ({"fmax_mzh": 3.0}, "no key 'fmax_mzh'; did you mean 'fmax_mhz'"),
    ({"predicted": {"luts": 3}}, "no key 'predicted.luts'; did you mean 'lut'"),
    ({"levels": {"rlt": {"samples": 1}}}, "levels.rlt: .*'model', 'rtl'"),
    ({"levels": {"rtl": {"sample": 1}}}, "no key 'levels.rtl.sample'; did you mean 'samples'"),
    ({"stage": "routed"}, "stage: .*'route', not 'routed'"),
    ({"accuracy": 97.1}, "accuracy: .* 1, not 97.1"),
    ({"lut": -1}, "lut: .* 0, not -1"),
    ({"lut": 1.5}, "lut: .*integer, not 1.5"),
    ({"fmax_mhz": float("nan")}, "fmax_mhz: .*finite"),
    ({"layers": [{"name": "fc1"}]}, "layers.0.template: field required"),
])
def test_a_key_or_value_that_a_report_does_not_have_is_refused(tmp_path: Path, values: dict, message: str) -> None:
    update(tmp_path, {"lut": 7})
    with pytest.raises(RequestError, match=message):
        update(tmp_path, values)
    assert read(tmp_path) == {"lut": 7}


def test_a_damaged_report_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{"lut": 3')
    with pytest.raises(RequestError, match=r"report\.json: damaged .* build again"):
        read(tmp_path)


def test_a_full_disk_leaves_the_report_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    update(tmp_path, {"lut": 7})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(WorkError, match=r"no space left on the disk .*report\.json"):
        update(tmp_path, {"lut": 8})
    assert json.loads((tmp_path / "report.json").read_text()) == {"lut": 7}
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
