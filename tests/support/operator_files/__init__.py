"""Small files of one operator each, with random attributes, shapes and operator sets."""

from . import elementwise, ends, integers, moves, quantizing, windows  # noqa: F401  (each registers its recipes)
from .draft import RECIPES
from .files import File, operator_file
from .outcome import Outcome, outcome

__all__ = ["RECIPES", "File", "Outcome", "operator_file", "outcome"]
