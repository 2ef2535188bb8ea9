"""Packing: from what place and route left to the bitstream that the device loads."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from ..progress import Step
from .families import FLOWS
from .route import Routed
from .workbench import Workbench


def pack(bench: Workbench, routed: Routed, name: str) -> Path:
    """Pack ``routed`` into ``<name>.bin``, ``.bit`` or ``.fs`` in the build folder, and return its path.

    The bitstream appears whole or not at all.
    """
    flow = FLOWS[bench.board.family]
    bitstream = f"{name}{flow.suffix}"
    arguments = flow.packing(bench.board, bitstream)

    def work(folder: Path, step: Step) -> dict[str, Any]:
        shutil.copyfile(routed.routed, folder / flow.routed)
        bench.run("pack", bench.suite.packer, arguments, folder)
        step.note(bitstream)
        return {"bytes": (folder / bitstream).stat().st_size}

    bench.step("pack", [routed.routed.read_bytes(), *arguments, str(bench.suite.packer)], [bitstream], work)
    return bench.out / bitstream
