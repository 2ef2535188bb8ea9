"""What a circuit answered, as people and programs read it: classes and their names, scores in the network's units."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bitloom import RequestError, WorkError, quant

from .console import Screen
from .own import Chosen, Wishes

SHOWN = 16
"""Results of a sample without classes that are printed."""

IN_JSON = 1 << 20
"""Results that a JSON object holds at most; --output holds any number."""


class Answers:
    """The results (n, results) of ``graph``, or of a circuit of it, for the samples ``chosen``."""

    def __init__(self, graph: quant.Graph, chosen: Chosen, results: np.ndarray) -> None:
        self.graph, self.chosen, self.results = graph, chosen, results
        self.classes, self.scores = quant.classes(graph, results), quant.scores(graph, results)

    @property
    def accuracy(self) -> float | None:
        """The share of the classes that are right; None where classes or labels are not known."""
        if self.chosen.labels is None or self.classes is None:
            return None
        return float((self.classes == self.chosen.labels).mean())

    @property
    def right(self) -> str:
        """How many are right, in words; empty where that is not known."""
        labels = self.chosen.labels
        if self.accuracy is None or labels is None:
            return ""
        return f"{round(self.accuracy * labels.size):,} of {labels.size:,} right ({self.accuracy:.2%})"

    def show(self, screen: Screen, scores: bool = False) -> None:
        """Print each sample's class, by name where it has one; with ``scores`` or without classes, its results."""
        if self.classes is not None and self.classes.ndim == 1 and not scores:
            names = self.graph.classes
            screen.say(" ".join(names[k] if k < len(names) else str(k) for k in self.classes.tolist()))
        else:
            for row in (self.results if self.scores is None else self.scores).reshape(len(self.results), -1):
                more = f" … ({row.size} in all)" if row.size > SHOWN else ""
                screen.say(" ".join(f"{value:.6g}" for value in row[:SHOWN]) + more)
        if self.right:
            screen.say(self.right)

    def facts(self) -> dict[str, Any]:
        """What JSON says: ``classes`` (null where there are none), ``results`` as integers, ``scores`` in the network's
        units (null where not known); the last two null where there are too many."""
        few = self.results.size <= IN_JSON
        return {"accuracy": self.accuracy, "classes": self.classes, "results": self.results if few else None,
                "scores": self.scores if few else None}

    def write(self, path: Path) -> None:
        """Keep them in a file: .npy of scores (of classes, where the network gives these alone), or .npz of all."""
        from bitloom.boards.files import make_folder, replacing

        known = {"results": self.results, "classes": self.classes, "scores": self.scores}
        arrays: dict[str, Any] = {name: array for name, array in known.items() if array is not None}
        if path.suffix not in (".npy", ".npz"):
            raise RequestError(f"--output must end in .npy or .npz, and {path} does not")
        make_folder(path.parent)
        with replacing(path) as partial, partial.open("wb") as file:
            if path.suffix == ".npz":
                np.savez_compressed(file, **arrays)
            else:
                index = isinstance(self.graph[self.graph.output], quant.ArgMax)
                np.save(file, arrays["classes"] if index else arrays.get("scores", self.results))

    def compare(self, screen: Screen, wishes: Wishes) -> dict[str, Any]:
        """Compare with the network that ``--against`` names; what JSON says of it.

        :raises WorkError: fewer agree than ``--agree`` asks for.
        """
        if wishes.against is None:
            return {}
        from bitloom.quant.files import require_qonnx

        require_qonnx()
        from bitloom.quant.qonnx.against import against

        with screen.step("compare") as step:
            found = against(wishes.against, self.graph, self.chosen.real, self.results, step.note)
        screen.say(f"against {wishes.against}: {found}")
        return {"against": {"network": wishes.against, "samples": found.samples, "agreeing": found.agreeing,
                            "greatest_difference_in_steps": found.greatest}}


def agreed(facts: dict[str, Any], wishes: Wishes) -> None:
    """:class:`WorkError` where fewer samples agree with ``--against`` than ``--agree`` asks for."""
    found = facts.get("against")
    if found and wishes.agree is not None and 100 * found["agreeing"] < wishes.agree * found["samples"]:
        raise WorkError(f"{found['agreeing']} of {found['samples']} samples agree with {wishes.against}, which is less "
                        f"than the {wishes.agree:g} % of --agree")
