"""Programming: what is asked of openFPGALoader, and what its complaints mean for the user."""

import sys

import pytest

from bitloom import RequestError, WorkError
from bitloom.boards.board import load
from bitloom.boards.program import program
from bitloom.boards.tools import CHOICE


@pytest.fixture
def loader(tmp_path, monkeypatch):
    """A stand-in on the PATH: says its version, or writes its arguments and ends as it is told to."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(CHOICE, raising=False)

    def install(says: str = "Done", code: int = 0) -> None:
        path = tmp_path / "openFPGALoader"
        path.write_text(
            f"#!{sys.executable}\nimport sys\n"
            "if '--version' in sys.argv: print('openFPGALoader v1.1.1'); sys.exit()\n"
            f"open({str(tmp_path / 'arguments')!r}, 'w').write(' '.join(sys.argv[1:]))\n"
            f"print({says!r})\nsys.exit({code})\n"
        )
        path.chmod(0o755)

    install()
    return install


@pytest.fixture
def bitstream(tmp_path):
    path = tmp_path / "digits.bin"
    path.write_bytes(b"bits")
    return path


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("icebreaker", "--board ice40_generic digits.bin"),
        ("colorlight-5a-75b", "--board colorlight --cable ft232 digits.bin"),
    ],
)
def test_what_is_asked(tmp_path, loader, bitstream, name, arguments):
    assert program(load(name), bitstream) > 0
    assert (tmp_path / "arguments").read_text() == arguments


@pytest.mark.parametrize(
    ("says", "message"),
    [
        ("unable to open ftdi device: -3 (device not found)\nJTAG init failed with: unable to open ftdi device",
         r"no 1BitSquared iCEBreaker was found: connect it .*openFPGALoader: JTAG init failed"),
        ("openFPGALoader: error while loading shared libraries: libftdi1.so.2: cannot open shared object file",
         r"needs the system library libftdi1\.so\.2, .*sudo apt install libftdi1-2"),
        ("libusb: LIBUSB_ERROR_ACCESS", "no permission to use the USB device: add openFPGALoader's udev rules"),
        ("Error: wrong CRC", "openFPGALoader failed with exit code 1: Error: wrong CRC$"),
    ],
)
def test_complaints(loader, bitstream, says, message):
    loader(says, 1)
    with pytest.raises(WorkError, match=message) as caught:
        program(load("icebreaker"), bitstream)
    assert "\n" not in str(caught.value)


def test_without_a_bitstream(tmp_path, loader):
    with pytest.raises(RequestError, match=r"digits\.bin: there is no bitstream; run `bitloom build` first"):
        program(load("icebreaker"), tmp_path / "digits.bin")


def test_a_board_that_is_programmed_otherwise(loader, bitstream):
    with pytest.raises(RequestError, match=r"icesugar is not programmed by openFPGALoader\. Shows itself as a USB"):
        program(load("icesugar"), bitstream)


def test_the_real_tool_without_a_board(monkeypatch, bitstream):
    """On a machine without the board, or without the tool's libraries, its answer is one line that helps."""
    monkeypatch.setenv(CHOICE, "pip")
    with pytest.raises(WorkError, match=r"was found: connect it|needs the system library"):
        program(load("icebreaker"), bitstream)
