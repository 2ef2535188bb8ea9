"""Studies: what a network costs and how fast it is over boards, targets, rates and foldings."""

from . import available  # noqa: F401  (says what is missing before something fails for want of it)
from .pareto import front, fronts
from .plot import draw
from .point import Outcome, run_point
from .results import write_results
from .run import OUT, run_study
from .study import Study, find_study, load_study, name_of, points

__all__ = [
    "OUT",
    "Outcome",
    "Study",
    "draw",
    "find_study",
    "front",
    "fronts",
    "load_study",
    "name_of",
    "points",
    "run_point",
    "run_study",
    "write_results",
]
