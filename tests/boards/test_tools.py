"""Tools are found where they are, named with their version, and missed with a line that says what to install."""

import os
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from bitloom import RequestError, WorkError
from bitloom.boards import tools
from bitloom.boards.process import run


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """No native tool at all, and no choice made."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv(tools.CHOICE, raising=False)
    (tmp_path / "bin").mkdir()


def fake(folder: Path, name: str, says: str = "", code: int = 0) -> Path:
    path = folder / "bin" / name
    path.write_text(f"#!{sys.executable}\nimport sys\nprint({says!r})\nsys.exit({code})\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("name", tools.SOURCES)
def test_pip_tools_are_found_without_a_path(name):
    tool = tools.find(name)
    assert tool.origin == "pip"
    assert tool.command[0] == sys.executable
    assert tools.SOURCES[name].package in str(tool)


@pytest.mark.parametrize(
    ("name", "option", "says"),
    [("nextpnr-ice40", "-V", "Next Generation"), ("ecppack", "--version", "Trellis"), ("gowin_pack", "-h", "usage")],
)
def test_pip_tools_start(tmp_path, name, option, says):
    run(name, [*tools.pip(name).command, option], folder=tmp_path, log=tmp_path / "log")
    assert says in (tmp_path / "log").read_text()


def test_yosys_runs_scripts(tmp_path):
    (tmp_path / "a.ys").write_text("log hello from yosys\n")
    tool = tools.find("yosys")
    run("yosys", [*tool.command, "-s", "a.ys"], folder=tmp_path, log=tmp_path / "log")
    assert "hello from yosys" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("name", tools.SOURCES)
def test_a_missing_tool_says_what_to_install(monkeypatch, name):
    def absent(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(tools, "version", absent)
    package = tools.SOURCES[name].package
    with pytest.raises(WorkError, match=rf"{name} is missing: install it with `.* -m pip install {package}`"):
        tools.find(name)


def test_a_package_without_its_script_is_missing(monkeypatch):
    monkeypatch.setattr(tools, "entry_points", lambda **kwargs: [])
    with pytest.raises(WorkError, match="icepack is missing"):
        tools.find("icepack")


YOSYS = "Yosys 0.71+12 (git sha1 0123abc, clang++ 18)"
NEXTPNR = '"nextpnr-ecp5" -- Next Generation Place and Route (Version nextpnr-0.10-34-gabcdef)'


def test_a_new_native_tool_is_preferred_and_named(tmp_path):
    path = fake(tmp_path, "yosys", YOSYS)
    tool = tools.find("yosys")
    assert (tool.command, tool.version, tool.origin) == ((str(path),), "0.71+12", "native")
    assert str(tool) == f"0.71+12 ({path})"


@pytest.mark.parametrize("says", ["Yosys 0.23 (git sha1 7ce5011c24b)", "something else", ""])
def test_an_old_or_strange_native_tool_is_passed_over(tmp_path, says):
    fake(tmp_path, "yosys", says)
    assert tools.find("yosys").origin == "pip"


def test_a_broken_native_tool_is_passed_over(tmp_path):
    fake(tmp_path, "yosys", YOSYS, code=1)
    assert tools.find("yosys").origin == "pip"


def test_the_choice_of_pip(tmp_path, monkeypatch):
    fake(tmp_path, "yosys", YOSYS)
    monkeypatch.setenv(tools.CHOICE, "pip")
    assert tools.find("yosys").origin == "pip"
    monkeypatch.setenv(tools.CHOICE, "native")
    with pytest.raises(RequestError, match="BITLOOM_TOOLS must be auto or pip, not 'native'"):
        tools.find("yosys")


def test_place_and_route_and_packer_come_from_one_side(tmp_path):
    fake(tmp_path, "nextpnr-ecp5", NEXTPNR)
    suite = tools.suite("ecp5")
    assert {suite.nextpnr.origin, suite.packer.origin} == {"pip"}
    fake(tmp_path, "ecppack")
    suite = tools.suite("ecp5")
    assert {suite.nextpnr.origin, suite.packer.origin} == {"native"}
    assert (suite.nextpnr.version, suite.packer.version) == ("0.10-34-gabcdef", "no version stated")
    (tmp_path / "bin" / "nextpnr-ecp5").unlink()
    assert tools.suite("ecp5").packer.origin == "pip"


def test_gowins_native_tool_has_two_names(tmp_path):
    for name in ("nextpnr-himbaechel", "gowin_pack"):
        fake(tmp_path, name, NEXTPNR)
    assert tools.suite("gowin").nextpnr.command == (str(tmp_path / "bin" / "nextpnr-himbaechel"),)


def test_a_script_beside_this_python_is_not_native(monkeypatch):
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable))
    assert tools.native("gowin_pack") is None
