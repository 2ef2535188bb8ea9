"""Fuzz one reader for some minutes:  python tests/fuzz.py --reader board --minutes 10 [--seed 0] [--only NUMBER]

Findings are printed with seed and number, by which each can be made again. Memory and time of each input are bounded.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parent))
from support.fuzz import READERS, attempt
from support.fuzz.attempt import bounded


@click.command()
@click.option("--reader", type=click.Choice(list(READERS)), required=True)
@click.option("--minutes", type=float, default=1.0)
@click.option("--seed", type=int, default=0)
@click.option("--only", type=int, help="This input alone.")
def main(reader: str, minutes: float, seed: int, only: int | None) -> None:
    """Read inputs until the time is over."""
    with tempfile.TemporaryDirectory() as folder:
        attempt(READERS[reader], seed, 0, Path(folder))  # what is loaded once counts for nothing
        number, found, end = only or 0, 0, time.monotonic() + 60 * minutes
        with bounded():
            while time.monotonic() < end:
                finding = attempt(READERS[reader], seed, number, Path(folder))
                if finding is not None:
                    found += 1
                    click.echo(str(finding))
                number += 1
                if only is not None:
                    break
    click.echo(f"{reader}, seed {seed}: {number} inputs in {minutes:g} minutes, {found} findings")


if __name__ == "__main__":
    main()
