"""The families that the flow serves."""

from __future__ import annotations

from .ecp5 import ECP5
from .family import FamilyFlow
from .gowin import Gowin
from .ice40 import ICE40

FLOWS: dict[str, FamilyFlow] = {"ice40": ICE40(), "ecp5": ECP5(), "gowin": Gowin()}
