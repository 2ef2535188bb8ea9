"""What holds for every test: an interrupt is heard, however the tests were started.

A shell starts background jobs with interrupts ignored, and every process below inherits that.
"""

import signal

import pytest

signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """How many random pipelines and files ``test_pipelines.py`` and ``test_operator_files.py`` build and run."""
    parser.addoption("--graphs", type=int, default=300, help="random pipelines to verify [300]")
    parser.addoption("--files", type=int, default=150, help="random files of one operator to import [150]")
    parser.addoption("--first-file", type=int, default=0, help="seed of the first of them [0]")
    parser.addoption("--first-graph", type=int, default=0, help="seed of the first of them [0]")
