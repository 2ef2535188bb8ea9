"""The UART's divisor: how many clock cycles one bit takes."""

TOLERANCE = 0.02
"""The greatest relative error of the baud rate. Half a bit of drift over the ten bits of a byte would be 5 %,
shared by both ends; 2 % leaves the other end and the sampling grid their part."""

MIN_DIVISOR = 4
"""The receiver samples in the middle of a bit, on a grid of one clock cycle: below four cycles there is no middle."""


def baud_divisor(clock_hz: float, baud: float) -> int:
    """Clock cycles per bit, rounded; ``ValueError`` if the rate cannot be met within :data:`TOLERANCE`."""
    if clock_hz <= 0:
        raise ValueError(f"clock_hz must be positive, not {clock_hz}")
    if baud <= 0:
        raise ValueError(f"baud must be positive, not {baud}")
    divisor = round(clock_hz / baud)
    if divisor < MIN_DIVISOR:
        raise ValueError(
            f"baud must be at most clock_hz / {MIN_DIVISOR} = {clock_hz / MIN_DIVISOR:g}, not {baud:g}: "
            "lower the baud rate or raise the clock"
        )
    error = abs(clock_hz / divisor / baud - 1)
    if error > TOLERANCE:
        near = ", ".join(f"{clock_hz / d:.0f}" for d in (divisor, divisor + 1))
        raise ValueError(
            f"baud must be within {TOLERANCE:.0%} of clock_hz / n for a whole n; {baud:g} is {error:.1%} off with "
            f"n = {divisor} at {clock_hz:g} Hz: rates near it are {near}"
        )
    return divisor
