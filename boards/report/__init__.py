"""The report of a build: :func:`read` and :func:`update` keep ``report.json``, :func:`render` draws ``report.html``."""

from .page import render
from .record import LEVELS, of_plan, read, update

__all__ = ["LEVELS", "of_plan", "read", "render", "update"]
