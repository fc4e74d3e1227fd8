"""How far a run is: a bar with the time left on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[str], None]]:
    """Give a function to be called with the name of each thing that is done."""
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.fields[name]}"))
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(title, total=total, name="")
            yield lambda name: bar.update(task, advance=1, name=name)
    else:
        started, count = time.monotonic(), 0

        def line(name: str) -> None:
            nonlocal count
            count += 1
            spent = time.monotonic() - started
            click.echo(f"{title}: {count}/{total} {name} ({spent:.0f} s, {spent / count * (total - count):.0f} s left)", err=True)

        yield line
