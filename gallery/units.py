"""Sizes and times as people write them."""


def megabytes(count: int) -> str:
    """Return a number of bytes as a reader's figure, 1 MB being a million bytes."""
    return f"{count / 1e6:,.1f} MB" if count >= 100_000 else f"{count / 1e3:,.1f} kB"


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 0.1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
