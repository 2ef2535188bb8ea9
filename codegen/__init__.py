"""From the integer graph to RTL: passes, folding, cost, the plan, the accelerator, emission."""

from .accelerator import Accelerator
from .compile import compile
from .emit import emit_rtlil, emit_verilog
from .families import FAMILIES, Family, Resources
from .fit import FitError
from .mapping import Folding
from .passes import simplify
from .plan import Plan, Stage
from .solve import TARGETS

__all__ = [
    "FAMILIES",
    "TARGETS",
    "Accelerator",
    "Family",
    "FitError",
    "Folding",
    "Plan",
    "Resources",
    "Stage",
    "compile",
    "emit_rtlil",
    "emit_verilog",
    "simplify",
]
