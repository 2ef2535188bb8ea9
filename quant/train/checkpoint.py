"""The float parameters of a module in one file; a damaged or foreign file is a one-line error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from bitloom import RequestError

from ..archive import ArchiveError, read_archive, write_archive
from .network import Network, build
from .spec import NetworkSpec

FORMAT_VERSION = 1
REMEDY = "make it again with `bitloom train`"


def save_checkpoint(module: Network, spec: NetworkSpec, path: str | Path) -> None:
    """Write the parameters of ``module`` to ``path``; the file appears whole or not at all."""
    arrays = {name: value.detach().numpy() for name, value in module.state_dict().items()}
    write_archive(path, {"bitloom": FORMAT_VERSION, "network": _architecture(spec)}, arrays)


def load_checkpoint(path: str | Path, spec: NetworkSpec) -> Network:
    """The module of ``spec``, in eval mode, with the parameters of the file that :func:`save_checkpoint` wrote.

    :raises RequestError: the file is missing or damaged, is of another network, or holds NaN or infinite values.
    """
    try:
        header, arrays = read_archive(path)
    except ArchiveError as error:
        raise RequestError(f"{path}: not a checkpoint, or damaged ({error}); {REMEDY}") from error
    if header.get("bitloom") != FORMAT_VERSION or not isinstance(header.get("network"), dict):
        raise RequestError(f"{path}: not a checkpoint of format {FORMAT_VERSION}; {REMEDY}")
    for key, value in _architecture(spec).items():
        if header["network"].get(key) != value:  # type: ignore[attr-defined]
            raise RequestError(f"{path}: of a network whose {key} is {header['network'].get(key)!r:.200}, "  # type: ignore
                               f"and the specification says {value!r:.200}; {REMEDY}")
    with torch.random.fork_rng(devices=[]):
        module = build(spec)
    expected = module.state_dict()
    for name in sorted({*arrays, *expected}):
        _check(path, name, arrays.get(name), expected.get(name))
    module.load_state_dict({name: torch.tensor(value) for name, value in arrays.items()}, strict=True)
    return module.eval()


def _check(path: str | Path, name: str, given: np.ndarray | None, expected: torch.Tensor | None) -> None:
    if given is None:
        raise RequestError(f"{path}: the parameter {name} is missing; {REMEDY}")
    if expected is None:
        raise RequestError(f"{path}: the network has no parameter {name}; {REMEDY}")
    kind = expected.numpy().dtype
    if given.dtype != kind or given.shape != tuple(expected.shape):
        raise RequestError(f"{path}: {name} must be {kind} of shape {tuple(expected.shape)}, "
                           f"not {given.dtype} of shape {given.shape}; {REMEDY}")
    if not np.all(np.isfinite(given)):
        raise RequestError(f"{path}: {name} holds NaN or infinite values; {REMEDY}")
    if name.endswith("running_var") and np.any(given < 0):
        raise RequestError(f"{path}: {name} must not be negative, and {given.min():g} occurs; {REMEDY}")


def _architecture(spec: NetworkSpec) -> dict[str, object]:
    """What must be equal for parameters to mean the same; the recipe and the seed may differ."""
    return spec.model_dump(mode="json", include={"dataset", "input", "layers", "output"})
