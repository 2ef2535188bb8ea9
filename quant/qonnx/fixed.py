"""The fixed-point meaning of a quantizer: its rational function of the sums, as a shift or a dyadic multiplication.

Float32 holds sums of up to 24 bits exactly. Beyond that it rounds them, and a quantizer of sixteen bits behind it takes
levels that lie an integer or many beside those which its scales and its rounding mode mean; what is meant is the
fixed-point number. Where both are the same, for every sum that can be, that is proven level by level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import numpy as np

from ..operators import Requantize
from ..rules import Rule
from .context import Context
from .op import Op
from .quantizers import Quantizer
from .ratios import spread
from .steps import Elementwise
from .values import Value, fractions

MEANINGS = ("auto", "exact", "fixed")
"""What quantizers mean: ``exact`` is float32's arithmetic, ``fixed`` rational arithmetic, ``auto`` the first unless it
rounds sums of more than 24 bits."""

EXACT_SUMS = 1 << 24
"""Up to this float32 holds every integer."""

MANY = 1023
"""Above so many levels a line is looked for before the levels are, one by one."""

MULTIPLIER_BITS = 27
"""Bits of multipliers where scales are not powers of two."""

FINER_BITS = 12
"""Bits that multipliers have beyond those of the outputs, so that few levels differ."""

PRODUCT_BITS = 60
"""Bits of what they make of the sums."""

SAMPLED = 1 << 14
"""Arguments of each channel at which the distance from float32 is measured, where there are more."""


@dataclass(frozen=True)
class Distance:
    """How far the fixed-point quantizer behind ``tensor`` is from float32's: over ``arguments`` sums of its channels'
    ranges, ``differing`` of them, by ``most`` levels at most."""

    tensor: str
    how: str
    arguments: int
    differing: int
    most: int


def line(ctx: Context, op: Op, value: Value, quantizer: Quantizer, signs: np.ndarray, lo: np.ndarray,
         hi: np.ndarray) -> str | None:
    """The requantization that computes ``quantizer`` of ``value``; None where its levels are to be found one by one.

    :param signs, lo, hi: of each channel, or of all alike: −1 where the function falls, and its argument's range.
    """
    wanted = ctx.requantize == "fixed"
    rounded = not wanted and ctx.requantize == "auto" and not _float_is_exact(value, quantizer, lo, hi)
    if not (wanted or rounded or quantizer.levels > MANY):
        return None
    found = _rational(value, quantizer, signs, max(abs(int(lo.min())), abs(int(hi.max()))))
    if found is None:
        if wanted:
            ctx.note(f"{op.outputs[0]}: this quantizer and what stands before it are no line of rising slope; computed "
                     "as float32 computes it")
        return None
    constants, how, near = found
    made = Requantize("act", (value.node,), ctx.nodes[value.node].output, *constants)
    low, high = np.where(signs < 0, -hi, lo), np.where(signs < 0, -lo, hi)
    if not _fits(made, low, high):
        return None
    distance = None
    if not _same(made, value, quantizer, signs, low, high):
        if not (wanted or rounded):
            return None
        distance = _distance(op.outputs[0], how, made, value, quantizer, signs, low, high)
    if np.any(signs < 0) and not ctx.rescaled(value, np.broadcast_to(signs, (value.channels,))):
        return None
    if distance is not None:
        ctx.distances.append(distance)
    name = ctx.emit("act", Requantize, (value.node,), value.shape, quantizer.format, quantizer.scale,
                    multiplier=made.multiplier, offset=made.offset, shift=made.shift, y_min=made.y_min,
                    y_max=made.y_max, late=made.late)
    if near:
        ctx.rough[name] = (max(abs(int(lo.min())), abs(int(hi.max()))) + 1) / (2 << made.shift)
    return name


def report(distances: Sequence[Distance], asked: bool) -> str:
    """The note that says which quantizers are fixed point, and how far they are from float32's."""
    arguments, differing = (sum(getattr(d, name) for d in distances) for name in ("arguments", "differing"))
    why = "as asked for" if asked else "float32 would round their sums of more than 24 bits"
    each = "; ".join(f"{d.tensor} {d.how}" for d in distances)
    return (f"quantizers in fixed point, not as float32 rounds ({why}): {each}. Of {arguments:,} sums within their "
            f"channels' ranges {differing:,} ({100 * differing / arguments:.2g} %) give another level than float32, "
            f"{max(d.most for d in distances)} at most; `exact` requantization reproduces float32")


def _float_is_exact(value: Value, quantizer: Quantizer, lo: np.ndarray, hi: np.ndarray) -> bool:
    """Whether float32 holds each sum that the quantizer does not clip."""
    return all(np.array_equal(quantizer.level(value.real(end[None])),
                              quantizer.level(value.real(np.clip(end, -EXACT_SUMS, EXACT_SUMS)[None])))
               for end in (lo, hi))


Constants = tuple[np.ndarray, np.ndarray, int, int, int, np.ndarray | None]
"""Those of a ``Requantize``."""


def _rational(value: Value, quantizer: Quantizer, signs: np.ndarray, peak: int) -> tuple[Constants, str, bool] | None:
    """The line of the quantizer's rational function of the sums (times ``signs``, up to ``peak``), what it is called,
    whether it is only near."""
    rule, chain = quantizer.integer, _chain(value, len(signs))
    if not isinstance(rule, Rule) or rule.kind not in ("Quant", "QuantizeLinear") or chain is None:
        return None
    slopes, starts, lows, highs = chain
    scale, zero = (spread(fractions(c), len(signs)) for c in quantizer.constants)
    mode, origin = ("ROUND", zero[0]) if rule.kind == "QuantizeLinear" else (rule.rounding, Fraction(0))
    if rule.kind == "QuantizeLinear":
        if any(z != origin for z in zero):
            return None
        zero = [Fraction(0)] * len(zero)
    alphas = [a / s * int(sign) for a, s, sign in zip(slopes, scale, np.broadcast_to(signs, len(slopes)))]
    betas = [b / s + z for b, s, z in zip(starts, scale, zero)]
    if min(alphas) <= 0:
        return None
    y_min, y_max = quantizer.least - int(origin), quantizer.least + quantizer.levels - int(origin)
    bounds = {tuple(None if end is None else rounded(mode, end / s + z) for end in ends)
              for ends, s, z in zip(zip(lows, highs), scale, zero)}
    if len(bounds) > 1:
        return None
    low, high = bounds.pop()
    y_min, y_max = max(y_min, y_min if low is None else low), min(y_max, y_max if high is None else high)
    entry = _entry(mode, y_min, y_max) if y_min < y_max else None
    if entry is None:
        return None
    before, late = entry
    multiplier, offset, shift, lateness = _line(alphas, [b + before for b in betas], y_min, y_max, late, peak)
    near = any(a != Fraction(int(m), 1 << shift) for a, m in zip(alphas, multiplier))
    multiplier, moved = _one(multiplier), _one((int(origin) << shift) + offset)
    power = bool(np.all(multiplier & (multiplier - 1) == 0)) and all(_dyadic(a) for a in alphas)
    bits = int(multiplier.max()).bit_length()
    how = f"(a shift of {shift}, rounding {mode})" if power else f"(multipliers of {bits} bits, rounding {mode})"
    return (multiplier, moved, shift, y_min + int(origin), y_max + int(origin), lateness), how, near


def _chain(value: Value, channels: int) -> tuple[list[Fraction], list[Fraction], list[Fraction | None],
                                                 list[Fraction | None]] | None:
    """(a, b, low, high) of each channel if ``value`` is clip(a·q + b, low, high); None if it is something else."""
    slopes = spread(fractions(value.scale), channels)
    starts = [b - a * z for a, b, z in zip(slopes, spread(fractions(value.offset), channels),
                                           spread(fractions(value.zero), channels))]
    lows: list[Fraction | None] = [None] * channels
    highs: list[Fraction | None] = [None] * channels
    for step, _ in value.steps:
        parts = step.affine()
        if parts is not None:
            p, q = (spread(part, channels) for part in parts)
            slopes, starts = [a * x for a, x in zip(slopes, p)], [b * x + y for b, x, y in zip(starts, p, q)]
            ends = [[None if end is None else end * x + y for end, x, y in zip(side, p, q)] for side in (lows, highs)]
            lows = [ends[x < 0][c] for c, x in enumerate(p)]
            highs = [ends[x >= 0][c] for c, x in enumerate(p)]
        elif isinstance(step, Elementwise) and step.op == "Clip":
            low, high = (np.broadcast_to(c, channels).tolist() for c in step.constants)
            lows = [_clipped(end, x, y, x) for end, x, y in zip(lows, low, high)]
            highs = [_clipped(end, x, y, y) for end, x, y in zip(highs, low, high)]
        else:
            return None
    return slopes, starts, lows, highs


def _clipped(end: Fraction | None, low: float, high: float, own: float) -> Fraction | None:
    """The bound ``end`` within ``low`` … ``high``, of which ``own`` is the one on its side."""
    if end is None:
        return Fraction(own) if np.isfinite(own) else None
    end = max(end, Fraction(low)) if np.isfinite(low) else end
    return min(end, Fraction(high)) if np.isfinite(high) else end


def rounded(mode: str, number: Fraction) -> int:
    """``number`` as an integer, by one of :data:`~bitloom.quant.rules.ROUNDING`."""
    sign, size, half = (1 if number > 0 else -1), abs(number), Fraction(1, 2)
    return {"FLOOR": floor(number), "CEIL": ceil(number), "DOWN": sign * floor(size), "UP": sign * ceil(size),
            "HALF_UP": sign * floor(size + half), "HALF_DOWN": sign * ceil(size - half)}.get(mode, round(number))


def _entry(mode: str, y_min: int, y_max: int) -> tuple[Fraction, np.ndarray] | None:
    """Output y is reached by numbers of y − c on, or only by greater ones: c, and for which outputs above y_min.

    None if c is not the same for all: a mode that rounds toward zero or away from it, with outputs on both sides.
    """
    y = np.arange(y_min + 1, y_max + 1)
    positive, none, half = y >= 1, np.zeros(len(y), bool), Fraction(1, 2)
    if mode in ("DOWN", "UP"):
        if positive.any() and not positive.all():
            return None
        mode = "FLOOR" if positive.all() == (mode == "DOWN") else "CEIL"
    return {"FLOOR": (Fraction(0), none), "CEIL": (Fraction(1), ~none), "HALF_UP": (half, ~positive),
            "HALF_DOWN": (half, positive)}.get(mode, (half, y & 1 == 1))


def _line(alphas: list[Fraction], betas: list[Fraction], y_min: int, y_max: int, late: np.ndarray, peak: int
          ) -> tuple[np.ndarray, np.ndarray, int, np.ndarray | None]:
    """Multipliers, offsets, shift and lateness of floor(alpha · x + beta), outputs ``late`` not reached by ties.

    Exact where the alphas are dyadic numbers of :data:`MULTIPLIER_BITS` bits; else the nearest that are, or such of
    fewer bits, yet :data:`FINER_BITS` more than the outputs have where products with x of up to ``peak`` have room.
    """
    exact = all(_dyadic(a) for a in alphas)
    if exact:
        shift = max(a.denominator.bit_length() - 1 for a in alphas)
        exact = max(alphas) * (1 << shift) < 1 << MULTIPLIER_BITS
    if not exact:
        shift = max(0, MULTIPLIER_BITS - floor(max(alphas)).bit_length())
        while max(alphas) * (1 << shift) >= 1 << MULTIPLIER_BITS:
            shift -= 1
        reach = max(alphas) * peak + max(abs(b) for b in betas) + max(abs(y_min), abs(y_max)) + 1
        room = PRODUCT_BITS - 1 - floor(reach).bit_length()
        enough = min((y_max - y_min).bit_length() + FINER_BITS, MULTIPLIER_BITS)
        while max(alphas) * (2 << shift) < 1 << MULTIPLIER_BITS and shift < (
                room if max(alphas) * (2 << shift) < 1 << enough else PRODUCT_BITS - MULTIPLIER_BITS):
            shift += 1
        multipliers = [max(1, round(a * (1 << shift))) for a in alphas]
        return np.array(multipliers), np.array([round(b * (1 << shift)) for b in betas]), shift, None
    multiplier = np.array([int(a * (1 << shift)) for a in alphas])
    ends = [b * (1 << shift) for b in betas]
    if late.all():
        return multiplier, np.array([ceil(end) - 1 for end in ends]), shift, None
    offset = np.array([floor(end) for end in ends])
    if not late.any():
        return multiplier, offset, shift, None
    y = np.arange(y_min + 1, y_max + 1) << shift
    ties = np.stack([late & (end.denominator == 1) & ((y - floor(end)) % m == 0)
                     for m, end in zip(multiplier.tolist(), ends)])
    ties = ties[:1] if np.all(ties == ties[:1]) else ties
    return multiplier, offset, shift, ties.astype(np.int64) if ties.any() else None


def _one(constants: np.ndarray) -> np.ndarray:
    """Equal constants as one for all."""
    return constants[:1] if np.all(constants == constants[0]) else constants


def _dyadic(number: Fraction) -> bool:
    """Whether ``number`` is an integer over a power of two."""
    return number.denominator & (number.denominator - 1) == 0


def _fits(made: Requantize, low: np.ndarray, high: np.ndarray) -> bool:
    """Whether products keep within the 61 bits that units compute with, and outputs are reached one at a time."""
    peak = max(abs(int(low.min())), abs(int(high.max()))) * int(made.multiplier.max()) + int(np.abs(made.offset).max())
    ends = max(abs(made.y_min), abs(made.y_max)) << made.shift
    once = made.late is None or int(made.multiplier.max()) <= 1 << made.shift
    return once and max(peak, ends) < 1 << PRODUCT_BITS


def _same(made: Requantize, value: Value, quantizer: Quantizer, signs: np.ndarray, low: np.ndarray, high: np.ndarray
          ) -> bool:
    """Whether float32 gives the same level for each argument: where it takes each level, and right before."""
    levels = np.arange(made.y_min + 1, made.y_max + 1)[:, None]
    late = 0 if made.late is None else made.late.T
    begins = -((made.offset - (levels << made.shift)) // made.multiplier) + late
    ends = np.stack([low, high])
    for point in (begins, begins - 1, ends):
        q = np.clip(point, low, high)
        if not np.array_equal(quantizer.least + quantizer.level(value.real(q * signs)), made.evaluate(q)):
            return False
    return True


def _distance(tensor: str, how: str, made: Requantize, value: Value, quantizer: Quantizer, signs: np.ndarray,
              low: np.ndarray, high: np.ndarray) -> Distance:
    """How far ``made`` is from float32's function: at every argument, or half at even distances and half at random."""
    rng = np.random.default_rng(0)
    if int((high - low).max()) < SAMPLED:
        q = np.minimum(low + np.arange(int((high - low).max()) + 1)[:, None], high)
    else:
        even = low + (high - low) * np.arange(SAMPLED // 2)[:, None] // (SAMPLED // 2 - 1)
        q = np.concatenate([even, rng.integers(low, high + 1, (SAMPLED // 2, len(low)))])
    differs = np.abs(quantizer.least + quantizer.level(value.real(q * signs)) - made.evaluate(q))
    return Distance(tensor, how, q.size, int((differs > 0).sum()), int(differs.max()))
