"""Chooses how much attention the site carries, so that it stays within its budget: the most that fits, tried on real pages."""

import shutil
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gallery.site.carried import Carried
from gallery.site.pages import Gathered, list_pages
from gallery.site.rendering import Bench, Work, render
from gallery.site.sizes import evenly
from gallery.store import Store

_TRIED = 48
"""Passages that stand for all the others."""
_SLACK = 0.97
"""Share of the budget that is planned with, since passages stand for others and not everything is counted."""


def fit(budget_mb: float, bench: Bench, works: Sequence[Work], scratch: Path) -> Carried:
    """Return the most of `bench.carried` that the site can carry within a budget, or the least there is.

    Passages of every length are rendered into `scratch`, which is removed again.
    """
    some = _spread(Store(bench.store), works)
    fixed = sum(path.stat().st_size for path in bench.shells.rglob("*") if path.is_file())
    room = _SLACK * 1_000_000 * budget_mb - fixed

    def fits(carried: Carried) -> bool:
        return _bytes(replace(bench, out=scratch, carried=carried), some) * len(works) / len(some) <= room

    choices = [replace(choice, fitted_mb=budget_mb) for choice in _choices(bench.carried)]
    return choices[min(bisect_left(choices, True, key=fits), len(choices) - 1) if some else 0]


def _choices(most: Carried) -> list[Carried]:
    """Return what can be carried, the most first.

    bertviz goes first, then layers, then means; of the pages without attention, downloads are packed, the picture of the heads
    made smaller, and the cards given up.
    """
    fewer = [replace(most, layers=evenly(most.layers, count), bertviz=False) for count in range(len(most.layers), -1, -1)]
    bare = replace(most, layers=(), means=False, bertviz=False)
    leaner = [replace(bare, packed=True), replace(bare, packed=True, small=True), replace(bare, packed=True, small=True, cards=False)]
    return [most, *(carried for carried in fewer if carried.layers or carried.means), bare, *leaner]


def _spread(store: Store, found: Sequence[Work]) -> list[Work]:
    """Return some passages, of all lengths alike."""
    ordered = sorted(found, key=lambda work: store.size("attention", work.row.entries["attention"])) if len(found) > _TRIED else found
    count = min(_TRIED, len(found))
    return [ordered[(2 * place + 1) * len(found) // (2 * count)] for place in range(count)]


def _bytes(bench: Bench, some: Sequence[Work]) -> int:
    """Return how much the pages of passages, what lies beside them, and their parts in lists take."""
    gathered, total = Gathered(), 0
    for one in some:
        summary, files = render(bench, one)
        shutil.rmtree(bench.out)
        gathered.add(one.row, summary)
        total += sum(size for size, _ in files.values())
    lists = list_pages(bench.code, bench.header, gathered, Store(bench.store), bench.carried)
    return total + sum(len(str(slot).encode()) for page in lists for slot in page.slots.values())
