"""Progress of a run: a bar on a terminal, plain lines elsewhere, JSON lines for machines."""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, Protocol

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from gallery.errors import reason
from gallery.units import duration

_EVERY = 1.0
"""Seconds between two plain lines, so that a run of a million passages does not fill a log."""


class Log(Protocol):
    """Receives events: a name, and values that JSON can hold."""

    def __call__(self, event: str, **values: Any) -> None:
        """Take an event and its values."""


def no_log(event: str, **values: Any) -> None:
    """Ignore an event."""


@contextmanager
def json_log(target: str | None) -> Iterator[Log]:
    """Give a log that writes a JSON object a line: to the file `target`, to stderr for `-`, nowhere for None.

    Every line has `event` and `time`, in seconds since 1970.
    """
    if target is None:
        yield no_log
        return
    stream: IO[str] = sys.stderr
    try:
        if target != "-":
            stream = open(target, "a", encoding="utf-8")  # noqa: SIM115, PTH123 (closed below; stderr must not be)
    except OSError as error:
        raise click.BadParameter(f"{target}: {reason(error)}", param_hint="--log-json") from error

    def log(event: str, **values: Any) -> None:
        stream.write(json.dumps({"event": event, "time": round(time.time(), 3), **values}, ensure_ascii=False) + "\n")
        stream.flush()

    try:
        yield log
    finally:
        if stream is not sys.stderr:
            stream.close()


class Pace:
    """Passages done, their rate, and the time left; passages are weighed by their cost."""

    def __init__(self, passages: int, cost: float) -> None:
        self.passages, self.done = passages, 0
        self._cost, self._spent = cost, 0.0
        self._started = time.monotonic()

    def add(self, cost: float) -> None:
        """Count a passage as done. Where more are done than expected, the expectation is raised."""
        self.done += 1
        self._spent += cost
        self.passages = max(self.passages, self.done)
        self._cost = max(self._cost, self._spent)

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._started

    @property
    def rate(self) -> float:
        """Passages a second."""
        return self.done / max(self.elapsed, 1e-9)

    @property
    def left(self) -> float:
        """Seconds that the remaining passages will take, if their costs are estimated well."""
        return self.elapsed * (self._cost - self._spent) / self._spent if self._spent else 0.0

    def line(self, slow: str) -> str:
        """Return rate and time left as text."""
        rate = f"{self.rate:.1f} passages/s" if self.rate >= 1 else f"{60 * self.rate:.1f} passages/min"
        return f"{rate}, {duration(self.left)} left; slowest: {slow}" if slow else f"{duration(self.left)} left"


class Shown(Protocol):
    """Shows the progress of a run."""

    def __call__(self, name: str, cost: float = 1.0, slow: str = "") -> None:
        """Show that a passage, or a step, is done; slow: the part that has taken most of the time."""


@contextmanager
def progress(title: str, passages: int, cost: float | None = None, log: Log = no_log) -> Iterator[Shown]:
    """Give a function to call after each passage, or step, that is done."""
    console, pace = Console(stderr=True), Pace(passages, passages if cost is None else cost)

    def count(name: str, amount: float) -> None:
        pace.add(amount)
        figures = {"elapsed_s": round(pace.elapsed, 3), "left_s": round(pace.left, 3), "passages_per_s": round(pace.rate, 4)}
        log("passage", id=name, done=pace.done, of=pace.passages, **figures)

    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[line]}"))
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(title, total=passages, line="")

            def show(name: str, cost: float = 1.0, slow: str = "") -> None:
                count(name, cost)
                bar.update(task, completed=pace.done, total=pace.passages, line=f"{pace.line(slow)}; {name}")

            yield show
        return
    shown = 0.0

    def line(name: str, cost: float = 1.0, slow: str = "") -> None:
        nonlocal shown
        count(name, cost)
        now = time.monotonic()
        if now - shown >= _EVERY or pace.done == pace.passages:
            shown = now
            click.echo(f"{title}: {pace.done:,}/{pace.passages:,} {name} ({duration(pace.elapsed)}, {pace.line(slow)})", err=True)

    yield line


def slowest(seconds: Mapping[str, float]) -> str:
    """Return which part takes the most time, and what share of all."""
    total = sum(seconds.values())
    part = max(seconds, key=lambda name: seconds[name], default="")
    return f"{part} ({seconds[part] / total:.0%})" if total else ""
