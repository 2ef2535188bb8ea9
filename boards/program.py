"""Programming: the bitstream onto the board, with openFPGALoader."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from bitloom import RequestError, WorkError

from .board import Board
from .process import run
from .progress import SILENT, Progress
from .tools import find

_ADVICE = (
    (re.compile(r"error while loading shared libraries: (\S+?):"),
     "openFPGALoader needs the system library {0}, which is not installed (on Debian and Ubuntu: "
     "sudo apt install libftdi1-2 libhidapi-hidraw0 libhidapi-libusb0)"),
    (re.compile(r"device not found|unable to open|No such device|cannot find|Cannot find|Failed to claim|"
                r"no cable|usb_open|Couldn't open|No DFU capable", re.IGNORECASE),
     "no {board} was found: connect it and switch it on; a container or virtual machine needs the device passed in"),
    (re.compile(r"permission|access denied|LIBUSB_ERROR_ACCESS", re.IGNORECASE),
     "no permission to use the USB device: add openFPGALoader's udev rules (99-openfpgaloader.rules), or run as root"),
)  # fmt: skip


def program(board: Board, bitstream: str | Path, progress: Progress = SILENT) -> float:
    """Load ``bitstream`` onto ``board`` and return the seconds that it took.

    :raises RequestError: there is no bitstream yet, or the board is not one that openFPGALoader programs.
    :raises WorkError: the tool is missing, finds no board, or fails.
    """
    bitstream = Path(bitstream)
    if not bitstream.is_file():
        raise RequestError(f"{bitstream}: there is no bitstream; run `bitloom build` first")
    if board.programmer is None:
        raise RequestError(f"board {board.name} is not programmed by openFPGALoader. {board.notes}".strip())
    tool = find("openFPGALoader")
    command = [*tool.command, "--board", board.programmer, *board.programmer_options, bitstream.name]
    with progress.step("program") as step, tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "program.log"
        try:
            return run(tool.name, command, folder=bitstream.resolve().parent, log=log, listen=step.note)
        except WorkError as error:
            said = log.read_text(errors="replace") if log.exists() else ""
            raise WorkError(_advice(said, board) or _without_log(error)) from None


def _advice(said: str, board: Board) -> str:
    """What to do about what openFPGALoader ``said``; nothing if it is not among what is known to go wrong."""
    for pattern, words in _ADVICE:
        match = pattern.search(said)
        if match:
            return words.format(*match.groups(), board=board.title) + f" (openFPGALoader: {_last(said)})"
    return ""


def _last(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "nothing"


def _without_log(error: WorkError) -> str:
    return str(error).rpartition(" (log:")[0] or str(error)
