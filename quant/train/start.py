"""Training that starts from a trained network of the same layers and other bit widths: ternarization, say."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import torch

from bitloom import RequestError

from .checkpoint import load_checkpoint
from .layers import POWER_OF_TWO
from .network import Network
from .quantizers import LEAST_SCALE, constant_scale
from .spec import NetworkSpec, load_spec
from .steps import Conv, Dense

NETWORK = "network.yaml"


def starting_point(spec: NetworkSpec, folder: str | Path) -> Network | None:
    """The trained network that ``start_from`` names, or None where ``spec`` names none.

    :param folder: that of ``spec``'s own network.yaml; paths start there, and examples go by their names.
    :raises RequestError: there is no such network, it is not trained or not of the same data set.
    """
    if spec.start_from is None:
        return None
    example = Path(str(files("bitloom.examples"))) / spec.start_from
    source = example if (example / NETWORK).is_file() else Path(folder) / spec.start_from
    if not (source / NETWORK).is_file():
        raise RequestError(f"start_from: must be an example or a folder with a {NETWORK}, not {spec.start_from!r}; "
                           f"a path starts at {folder}")
    if not (source / "checkpoint.npz").is_file():
        raise RequestError(f"start_from: {spec.start_from} has no checkpoint.npz; `bitloom train {source}` makes it")
    given = load_spec(source)
    if given.dataset != spec.dataset:
        raise RequestError(f"start_from: must be a network of the data set {spec.dataset}, and {spec.start_from} is "
                           f"one of {given.dataset}")
    return load_checkpoint(source / "checkpoint.npz", given)


def take_over(module: Network, start: Network) -> None:
    """Give ``module`` the parameters of ``start``, whose layers are the same but for their bit widths.

    Binary and ternary weights with a constant scale are first brought to it: their absolute mean becomes the scale.

    :raises RequestError: the layers are others.
    """
    own, given = module.state_dict(), start.state_dict()
    for name in sorted(own.keys() | given.keys()):
        mine, theirs = (tuple(state[name].shape) if name in state else "missing" for state in (own, given))
        if mine != theirs:
            raise RequestError(f"start_from: layers must be the same but for their bits, and {name} is {mine} in this "
                               f"network and {theirs} in that")
    module.load_state_dict(given, strict=True)
    before = {step.name: step for step in start.steps}
    for step in module.steps:
        if not isinstance(step, Dense | Conv) or step.scaling != POWER_OF_TWO or not isinstance(step.bits, str):
            continue
        other = before[step.name]
        if isinstance(other, Dense | Conv) and (other.bits, other.scaling) != (step.bits, step.scaling):
            _rescale(module.weighted(step.name).weight, step)


def _rescale(weight: torch.nn.Parameter, step: Dense | Conv) -> None:
    inputs = step.inputs * (step.kernel**2 if isinstance(step, Conv) else 1)
    with torch.no_grad():
        weight.mul_(constant_scale(inputs) / weight.abs().mean().clamp_min(LEAST_SCALE))
