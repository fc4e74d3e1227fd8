"""Chooses how much attention the site carries, so that it stays within its budget: the most that fits, tried on real pages."""

import shutil
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gallery.carried import Carried
from gallery.manifest import Header, Row
from gallery.pages import Gathered, Page, list_pages, passage_pages
from gallery.sizes import evenly
from gallery.store import Store

_TRIED = 48
"""Passages that stand for all the others."""
_SLACK = 0.97
"""Share of the budget that is planned with, since passages stand for others and not everything is counted."""


def fit(budget: float, most: Carried, code: str, store: Store, header: Header, rows: Sequence[Row], shells: Path, scratch: Path) -> Carried:
    """Return the most that the site can carry within a budget in bytes, or the least there is; `most` is what may be there at all.

    Passages of every length are rendered into `scratch`, which is removed again; shells are the pages that MkDocs has rendered.
    """
    some = _spread(store, rows)
    fixed = sum(path.stat().st_size for path in shells.rglob("*") if path.is_file())
    room = _SLACK * budget - fixed

    def fits(carried: Carried) -> bool:
        return _bytes(carried, code, store, header, some, shells, scratch) * len(rows) / len(some) <= room

    choices = _choices(most)
    return choices[min(bisect_left(choices, True, key=fits), len(choices) - 1)] if some else most


def _choices(most: Carried) -> list[Carried]:
    """Return what can be carried, the most first: bertviz goes first, then layers, then means, and the picture alone is left."""
    fewer = [replace(most, layers=evenly(most.layers, count), bertviz=False) for count in range(len(most.layers), -1, -1)]
    return [most, *(carried for carried in fewer if carried.layers or carried.means), replace(most, layers=(), means=False, bertviz=False)]


def _spread(store: Store, rows: Sequence[Row]) -> list[Row]:
    """Return some passages, of all lengths alike."""
    ordered = sorted(rows, key=lambda row: store.size("attention", row.entries["attention"])) if len(rows) > _TRIED else rows
    count = min(_TRIED, len(rows))
    return [ordered[(2 * place + 1) * len(rows) // (2 * count)] for place in range(count)]


def _bytes(carried: Carried, code: str, store: Store, header: Header, rows: Sequence[Row], shells: Path, scratch: Path) -> int:
    """Return how much pages of passages, what lies beside them, and their parts in lists and search take."""
    gathered, total = Gathered(), 0
    for page in passage_pages(code, store, header, rows, scratch, gathered, carried):
        total += _page_bytes(page, shells) + sum(path.stat().st_size for path in scratch.rglob("*") if path.is_file())
        shutil.rmtree(scratch)
    return total + sum(len(slot.encode()) for page in list_pages(code, header, gathered) for slot in page.slots.values())


def _page_bytes(page: Page, shells: Path) -> int:
    shell = (shells / page.shell / "index.html").stat().st_size
    return shell + sum(len(slot.encode()) for slot in page.slots.values()) + len(page.search.encode())
