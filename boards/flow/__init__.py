"""The flow: synthesis, place and route, packing; a file for each, and one for what each family says of itself."""

from .checks import TooLargeError, check_fit, check_plausible
from .families import FLOWS
from .pack import pack
from .route import Routed, TimingError, place_and_route
from .synthesize import Synthesis, synthesize
from .workbench import Workbench

__all__ = [
    "FLOWS",
    "Routed",
    "Synthesis",
    "TimingError",
    "TooLargeError",
    "Workbench",
    "check_fit",
    "check_plausible",
    "pack",
    "place_and_route",
    "synthesize",
]
