"""One call of cocotb's runner in a process of its own: ``python -m bitloom.sim.process job.json``.

The runner prints, changes its process's environment and leaves its children running when it is interrupted; here all
of that ends with this process. :mod:`bitloom.sim.verilator` starts it and reads what it leaves behind.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path


def main(job_file: str) -> None:
    """Run the job in ``job_file``: its ``call`` is ``build`` or ``test``, the rest are that method's arguments."""
    from cocotb_tools.runner import VerilatorControlFile, get_runner

    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    job = json.loads(Path(job_file).read_text())
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    runner = get_runner("verilator")
    call = job.pop("call")
    if call == "build":
        job["sources"] = [VerilatorControlFile(s) if s.endswith(".vlt") else s for s in job["sources"]]
        job["timescale"] = tuple(job["timescale"])
    getattr(runner, call)(**job)


def _end_with_parent(parent: int) -> None:
    """Whatever became of the process that started this one, nothing here outlives it."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1])
