"""bitloom: from a quantized neural network to a verified FPGA or ASIC accelerator, with nothing but pip.

The folders of the repository are the subpackages: :mod:`bitloom.quant` (training, the integer graph),
:mod:`bitloom.hw` (Amaranth templates), :mod:`bitloom.codegen` (passes, folding, the accelerator),
:mod:`bitloom.boards` (board tops, the flow to a bitstream, the host client), :mod:`bitloom.sim`
(co-simulation and the verification ladder), :mod:`bitloom.sweep` (studies and Pareto fronts) and
:mod:`bitloom.cli` (the ``bitloom`` command).
"""

__version__ = "0.1.0"


class BitloomError(Exception):
    """Base of the errors that are meant for the user: one clear line, never a traceback."""


class RequestError(BitloomError, ValueError):
    """The request was wrong: it names the parameter, the rule, the value and the way out (exit code 2)."""


class WorkError(BitloomError, RuntimeError):
    """The request was right and the work failed: a mismatch, a missing tool, failing timing (exit code 1)."""
