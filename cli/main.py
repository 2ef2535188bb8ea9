"""``bitloom``: from a quantized network to a verified bitstream."""

from __future__ import annotations

import click

from bitloom import __version__

from .commands.batch import batch
from .commands.build import build, compile_
from .commands.import_ import import_
from .commands.lists import boards, models
from .commands.report import report
from .commands.run import program, run
from .commands.sweep import sweep
from .commands.train import train
from .commands.verify import verify
from .errors import Group


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="bitloom")
def main() -> None:
    """From a quantized neural network to a verified FPGA bitstream, bit for bit.

    \b
    bitloom import network.onnx                 a QONNX file becomes an integer graph, and is compared with it
    bitloom build digits --board icebreaker     RTL, netlist, bitstream and report in build/
    bitloom verify digits --level top           climb the verification ladder
    bitloom run digits --simulate               classify samples
    bitloom sweep digits --board ulx3s-25f      compare what could be built

    DESIGN is a design file (YAML), the name of an example design, or the name of a model; `bitloom models` and
    `bitloom boards` list what there is. Exit codes: 0 good, 1 the work failed, 2 the request was wrong.
    """


for command in (train, import_, compile_, build, verify, batch, program, run, sweep, report, boards, models):
    main.add_command(command)
