"""``report.html``: self-contained, well formed, and each figure labelled with where it comes from."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from support.reports import VALUES

from bitloom import RequestError
from bitloom.boards.report import render, update
from bitloom.boards.report.figures import number

VOID = {"meta", "link", "img", "br", "path", "rect"}


class Page(HTMLParser):
    """Checks that every element is closed, and collects text, tags and addresses."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.add(tag)
        self.addresses += [value for key, value in attrs if key in ("src", "href", "data", "action")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["style"], ["title"]):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def page(build_dir: Path) -> Page:
    return Page(render(build_dir).read_text(encoding="utf-8"))


def test_the_page_needs_neither_network_nor_script(build_dir: Path) -> None:
    drawn = page(build_dir)
    assert "script" not in drawn.tags
    assert drawn.addresses and all(address.startswith("data:") for address in drawn.addresses)
    html = (build_dir / "report.html").read_text()
    assert "url(http" not in html and "@import" not in html


@pytest.mark.parametrize("words", [
    "Accuracy 93.8 % integer graph of the held-out samples; the RTL agrees on 16 simulated",
    "Throughput 187,500 /s simulated one sample per 64 cycles at 12 MHz",
    "Latency 19.4 µs simulated 233 cycles",
    "Logic 2,829 LUTs routed 54 % of the device",
    "Fmax 67.5 MHz routed 5.6× the clock of 12 MHz",
    "fc1 MatVec 4 → 2 4 × 16 64 5 – weights 64×192 block 812",
    "16 samples · 0 mismatches · 12.2 s", "7 samples · 3 mismatches", "unavailable no model of <SB_FOO>",
    "LUTs 1,415 2,829 2.00 routed", "Interval, cycles 64 64 1.00 simulated",
    "5.00 ns from register to register: 2.39 ns in cells, 2.61 ns in wires",
    "accelerator.fc1.n<1> 2.61 accelerator.fc1.b_LC 1.00 5.00",
    "left left is", "right is left", "place and route 14.2 s", "amaranth 0.5.10",
])
def test_what_the_record_holds_is_on_the_page(build_dir: Path, words: str) -> None:
    text = page(build_dir).text
    if words == "left left is":  # the first sample is right and says nothing more
        assert re.search(r"Samples left right is left", text)
    else:
        assert words in text


def test_multipliers_that_were_not_timed_are_said(build_dir: Path) -> None:
    update(build_dir, {"untimed": 3})
    assert "no path through 3 multipliers was timed (place and route has no delays)" in page(build_dir).text


def test_nothing_estimated_is_printed_as_measured(tmp_path: Path) -> None:
    estimated = {key: value for key, value in VALUES.items() if key not in ("levels", "utilization", "critical_path")}
    update(tmp_path, {**estimated, "stage": "estimate"})
    text = page(tmp_path).text.split("A figure is what its label says")[0]
    assert "Throughput 187,500 /s estimated" in text and "Logic 2,829 LUTs estimated" in text
    measured = text.replace("synthesized netlist of the top", "")
    assert not any(stage in measured for stage in ("simulated", "synthesized", "routed"))
    assert "Predicted and measured" not in text and text.count("not run") == 4


def test_a_failed_level_is_not_taken_for_simulated(tmp_path: Path) -> None:
    update(tmp_path, {**VALUES, "levels": {"rtl": {"samples": 9, "mismatches": 1, "status": "failed"}}})
    text = page(tmp_path).text
    assert "Latency 19.4 µs estimated" in text and "9 samples · 1 mismatches" in text


def test_names_cannot_break_the_page(tmp_path: Path) -> None:
    update(tmp_path, {"model": "<b>&\"'", "design": "x", "board": "</title><script>"})
    drawn = page(tmp_path)
    assert "script" not in drawn.tags and "<b>&\"'" in drawn.text


def test_without_a_build_there_is_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"no report\.json; make one with `bitloom build`"):
        render(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("value", "text"), [
    (0, "0"), (64.0, "64"), (187500, "187,500"), (67.5, "67.5"), (67.456, "67.5"), (0.1234, "0.123"),
    (1234.56, "1,235"), (None, "–"),
])
def test_numbers_have_about_three_digits(value: float | None, text: str) -> None:
    assert number(value) == text
