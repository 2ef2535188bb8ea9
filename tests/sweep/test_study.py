"""Study files: what they may say, what comes of it, and one line for each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitloom import RequestError
from bitloom.sweep import Study, find_study, load_study, name_of, points


def names(study: Study) -> list[str]:
    return [design.design for design in points(study)]


def study(text: str, path: str = "study.yaml") -> Study:
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_text(text)
    return load_study(path)


def test_every_combination_is_a_point(folder: Path) -> None:
    found = points(study("models: [tiny.npz, wide.npz]\nboards: [icebreaker, icestick]\ntargets: [area, latency]\n"
                         "fps: [null, 1000]\nutilization: [0.5, 0.75]\n"))
    assert len(found) == len({design.design for design in found}) == 2 * 2 * 2 * 2 * 2
    assert {(design.target, design.fps, design.utilization) for design in found} == {
        (target, fps, share) for target in ("area", "latency") for fps in (None, 1000) for share in (0.5, 0.75)}
    assert found[0].design == "tiny-icebreaker-area-u0.5"
    assert found[-1].design == "wide-icestick-latency-1000fps"


def test_what_is_not_said_is_studied_for_every_target_and_each_rate_once(folder: Path) -> None:
    assert names(study("models: tiny.npz")) == [
        "tiny-icebreaker-throughput", "tiny-icebreaker-latency", "tiny-icebreaker-area"]
    assert names(study("models: tiny.npz\nfps: [1000, 2.5e+6]")) == [
        "tiny-icebreaker-throughput-1000fps", "tiny-icebreaker-throughput-2500000fps"]


def test_foldings_are_part_of_the_name(folder: Path) -> None:
    many = ", ".join(f"layer{i}: {{pe: {i}}}" for i in range(1, 9))
    found = points(study("models: tiny.npz\ntargets: area\n"
                         f"layers: [{{}}, {{fc1: {{pe: 2, simd: 4, memory: block}}}}, {{{many}}}]"))
    assert [design.design for design in found[:2]] == [
        "tiny-icebreaker-area", "tiny-icebreaker-area-fc1-pe2-simd4-block"]
    assert found[1].overrides() == {"fc1": {"pe": 2, "simd": 4, "memory": "block"}}
    assert found[2].design.startswith("tiny-icebreaker-area-layers-") and len(found[2].design) < 40


def test_a_point_asked_for_twice_is_one(folder: Path) -> None:
    assert names(study("models: [tiny.npz, tiny.npz]\ntargets: [area, area]")) == ["tiny-icebreaker-area"]


def test_paths_are_relative_to_the_study_file(folder: Path) -> None:
    (folder / "tiny.npz").rename(folder / "moved.npz")
    (folder / "sub").mkdir()
    (folder / "moved.npz").rename(folder / "sub" / "tiny.npz")
    assert points(study("models: [tiny.npz, digits]\ntargets: area", "sub/study.yaml"))[0].model == "sub/tiny.npz"


def test_the_command_line_replaces_what_the_file_says(folder: Path) -> None:
    study("models: tiny.npz\ntargets: [area]\nfps: [100]")
    found = find_study(["study.yaml"], boards=("icestick",), targets=(), fps=(), stage=None)
    assert names(found) == ["tiny-icestick-area-100fps"]
    assert names(find_study(["tiny.npz", "wide.npz"], targets=("area",))) == [
        "tiny-icebreaker-area", "wide-icebreaker-area"]


@pytest.mark.parametrize(("text", "words"), [
    ("board: icebreaker", ["study.yaml: unknown key board", "did you mean 'boards'", "targets"]),
    ("boards: icebreaker", ["study.yaml: models is missing"]),
    ("models: []", ["study.yaml: models", "at least one entry", "[]"]),
    ("models: [3]", ["models.0", "string", "3"]),
    ("models: tiny.npz\nmodels: wide.npz", ["line 2", "'models' is given twice"]),
    ("models: tiny.npz\nstage: routed", ["stage", "'estimate', 'synthesis' or 'route'", "'routed'"]),
    ("models: tiny.npz\nfps: fast", ["fps.0", "'fast'"]),
    ("models: tiny.npz\nfps: [10, -1]", ["fps", "greater than 0", "-1"]),
    ("models: tiny.npz\ntargets: [speed]", ["target", "'latency'", "'speed'"]),
    ("models: tiny.npz\nutilization: 80", ["utilization", "less than or equal to 1", "80"]),
    ("models: tiny.npz\nlayers: {fc1: {pee: 4}}", ["layers.fc1.pee", "did you mean 'pe'"]),
    ("models: tiny.npz\nlayers: [{fc1: {pe: 0}}]", ["layers.fc1.pe", "greater than or equal to 1", "0"]),
    ("models: [tiny.npz, digts]", ["'digts'", "did you mean 'digits'"]),
    ("models: missing.npz", ["missing.npz", "there is no such file"]),
    ("models: tiny.npz\nboards: icebraker", ["'icebraker'", "did you mean 'icebreaker'"]),
    ("models: [tiny.npz, a/tiny.npz]", ["tiny.npz on icebreaker", "a/tiny.npz on icebreaker", "rename"]),
])
def test_a_wrong_study_is_one_line(folder: Path, text: str, words: list[str]) -> None:
    (folder / "a").mkdir()
    (folder / "a" / "tiny.npz").write_bytes((folder / "tiny.npz").read_bytes())
    with pytest.raises(RequestError) as caught:
        points(study(text))
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_a_study_file_stands_alone(folder: Path) -> None:
    with pytest.raises(RequestError, match=r"study\.yaml.*models:"):
        find_study(["study.yaml", "digits"])


def test_two_studies_have_two_names(folder: Path) -> None:
    study("models: [tiny.npz]\n", "mine.yaml")
    requests: list[tuple[list[str], dict[str, object]]] = [
        (["mine.yaml"], {}), (["mine.yaml"], {"fps": (9.0,)}), (["tiny.npz"], {}), (["tiny.npz"], {"fps": (9.0,)}),
        (["tiny.npz", "wide.npz"], {"stage": "route"}), (["tiny.npz"], {"boards": [f"{n:09}.yaml" for n in range(9)]}),
        (["tiny.npz"], {"boards": [f"{n:09}.yaml" for n in range(8)]})]
    found = [name_of(find_study(names, **options), names) for names, options in requests]
    assert found[0] == "mine" and found[2:5] == ["tiny", "tiny-9fps", "tiny-wide-route"]
    assert len(set(found)) == len(found) and max(map(len, found)) <= 60
