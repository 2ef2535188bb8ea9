"""The simulated board answers as the real one does, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from bitloom import RequestError, WorkError, quant
from bitloom.boards.client import Client
from bitloom.sim import SimulatedBoard, children, verilator
from bitloom.sim.rungs.pins import parameters_for, simulate_top
from bitloom.sim.vectors import samples_for


def members(group: int) -> list[str]:
    """The processes of the process group ``group`` that run."""
    listed = subprocess.run(["ps", "-eo", "pgid,stat,args"], capture_output=True, text=True).stdout
    rows = [line.split(maxsplit=2) for line in listed.splitlines()[1:]]
    return [row[-1] for row in rows if row[0] == str(group) and not row[1].startswith("Z")]


def gone(group: int) -> bool:
    """Whether the process group ``group`` is gone, soon."""
    for _ in range(100):
        if not members(group):
            return True
        time.sleep(0.1)
    return False


def test_a_client_cannot_tell_it_from_a_board(build):
    compiled = build()
    inputs = samples_for(compiled.graph, 9, seed=2).inputs
    with SimulatedBoard(compiled.out) as board:
        assert np.array_equal(board.infer(inputs), quant.run(compiled.graph, inputs))
        assert board.throughput.samples == 9 and board.throughput.resent == 0
        with Client(board.port, compiled.interface, timeout=30) as client:
            assert client.check() == compiled.interface.identity
            assert np.array_equal(client.infer(inputs[:2]), quant.run(compiled.graph, inputs[:2]))
        group = board._running.process.pid
        assert any(compiled.top.stem in command for command in members(group))
    assert gone(group)
    with pytest.raises(WorkError, match="the simulated board is off"):
        board.infer(inputs)


def test_a_board_whose_simulator_dies_says_so(build):
    compiled = build()
    inputs = samples_for(compiled.graph, 500, seed=2).inputs
    with SimulatedBoard(compiled.out) as board, pytest.raises(WorkError):
        group = board._running.process.pid
        board.infer(inputs, lambda done, total: os.killpg(group, signal.SIGKILL))
    assert gone(group)


def test_nothing_outlives_a_program_that_is_killed(build):
    compiled = build()
    code = """
import sys, time
from bitloom.sim import SimulatedBoard, verilator
from bitloom.sim.rungs.pins import parameters_for, simulate_top
with SimulatedBoard(sys.argv[1]) as board:
    print(board._running.process.pid, flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code, str(compiled.out)], stdout=subprocess.PIPE) as program:
        group = int(program.stdout.readline())
        assert members(group)
        program.kill()
    assert gone(group)


def test_an_interrupt_ends_the_simulation_with_all_its_processes(build, monkeypatch):
    compiled = build()
    groups: list[int] = []
    started, end = [], children.end

    def interrupt(*args) -> None:
        raise KeyboardInterrupt

    def ended(process) -> None:
        groups.append(process.pid)
        started.extend(members(process.pid))
        end(process)

    simulator = simulate_top(compiled, lambda text: None)
    monkeypatch.setattr(verilator, "_report", interrupt)
    monkeypatch.setattr(children, "end", ended)
    with pytest.raises(KeyboardInterrupt):
        verilator.run(simulator, "bridge", parameters_for(compiled))
    assert started and gone(groups[0])


def test_a_folder_without_a_design_is_refused(tmp_path):
    with pytest.raises(RequestError, match="holds no compiled design"):
        SimulatedBoard(tmp_path)
