"""Training: deterministic by the specification's seed, on one thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn

from bitloom import WorkError

from .augment import augment
from .data import Dataset, Source, load, source
from .network import Network, build
from .score import parts
from .spec import NetworkSpec
from .start import take_over
from .threads import one_thread


@dataclass(frozen=True)
class Epoch:
    """One point of the learning curve; accuracies are fractions, ``accuracy`` that of the held-out samples."""

    loss: float
    train_accuracy: float
    accuracy: float


@dataclass(frozen=True)
class TrainedNetwork:
    """A trained Brevitas module in eval mode, its learning curve, and its accuracy on the held-out samples."""

    module: Network
    history: tuple[Epoch, ...]
    accuracy: float


def train(
    spec: NetworkSpec, progress: bool = True, data: Dataset | None = None, start: Network | None = None
) -> TrainedNetwork:
    """Train the network of ``spec``.

    The module after the last epoch is the result: nothing is selected by the held-out samples. The same
    specification gives the same module, bit for bit, on the same kind of machine. The caller's random state and
    number of threads are left as they were.

    :param progress: draw a progress bar on standard error, or write a line for each epoch where that is no terminal.
    :param data: other samples than those of ``spec.dataset``, of the same kind (a validation split, say).
    :param start: a trained network of the same layers and other bit widths, whose parameters are the first.
    :raises RequestError: the layers of ``start`` are others.
    :raises WorkError: training diverged.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    data = data or load(spec.dataset)
    with _deterministic(spec.seed), Progress(
        TextColumn("training {task.fields[title]}"), BarColumn(), TextColumn("epoch {task.completed}/{task.total}"),
        TextColumn("held out {task.fields[accuracy]:.2%}"), TimeRemainingColumn(),
        console=console, disable=not (progress and console.is_terminal),
    ) as bar:
        module = build(spec)
        if start is not None:
            take_over(module, start)
        task = bar.add_task("train", total=spec.training.epochs, title=spec.name, accuracy=0.0)
        history = []
        for epoch in _epochs(module, spec, source(spec.dataset), data):
            history.append(epoch)
            bar.update(task, advance=1, accuracy=epoch.accuracy)
            if progress and not console.is_terminal:
                console.print(f"training {spec.name}: epoch {len(history)}/{spec.training.epochs}, "
                              f"held out {epoch.accuracy:.2%}")
    return TrainedNetwork(module.eval(), tuple(history), history[-1].accuracy)


def accuracy(module: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    """The fraction of samples ``x`` (float32 raw integers) whose class ``y`` is the first greatest score."""
    module.eval()
    with torch.no_grad():
        right = sum(int((module(x[part]).argmax(dim=1) == y[part]).sum()) for part in parts(len(x)))
    return right / len(x)


def _tensors(x: np.ndarray, y: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(x.astype(np.float32)), torch.from_numpy(y.copy())


def _epochs(module: Network, spec: NetworkSpec, info: Source, data: Dataset) -> Iterator[Epoch]:
    recipe = spec.training
    x, y = _tensors(data.x_train, data.y_train)
    x_test, y_test = _tensors(data.x_test, data.y_test)
    generator = torch.Generator().manual_seed(spec.seed)
    steps = recipe.epochs * max(1, len(x) // recipe.batch)
    optimizer = torch.optim.AdamW(module.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    criterion = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    for _ in range(recipe.epochs):
        module.train()
        total, right, seen = 0.0, 0, 0
        order = torch.randperm(len(x), generator=generator)
        for i in range(max(1, len(x) // recipe.batch)):
            rows = order[i * recipe.batch : (i + 1) * recipe.batch]
            scores = module(augment(x[rows], info.image, info.top, recipe.moved, recipe.noise, generator))
            loss = criterion(scores, y[rows])
            if not torch.isfinite(loss):
                raise WorkError(f"{spec.name}: training diverged (the loss became {loss.item()}); "
                                f"lower training.learning_rate, which is {recipe.learning_rate}")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(rows)
            right += int((scores.argmax(dim=1) == y[rows]).sum())
            seen += len(rows)
        yield Epoch(total / seen, right / seen, accuracy(module, x_test, y_test))


@contextmanager
def _deterministic(seed: int) -> Iterator[None]:
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
