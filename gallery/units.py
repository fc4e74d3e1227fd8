"""Sizes and durations as messages and pages write them."""


def megabytes(count: int) -> str:
    """Return a number of bytes in MB or kB, 1 MB being a million bytes."""
    return f"{count / 1e6:,.1f} MB" if count >= 100_000 else f"{count / 1e3:,.1f} kB"


def duration(seconds: float) -> str:
    """Return a duration in the units that fit it: 20 ms, 3.4 s, 2 min 10 s, 1 h 5 min."""
    if seconds < 0.1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
