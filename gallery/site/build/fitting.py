"""Chooses how much the site carries of its passages, so that it stays within its budget: the most that fits, tried on real pages.

What was chosen is remembered beside the generated documents with all that it depends on, so that a build after a small
change does not try again.
"""

import hashlib
import shutil
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from gallery.site.build.rendering import Bench, Work, render
from gallery.site.check.sizes import evenly
from gallery.site.pages.carried import Carried
from gallery.site.pages.pages import Gathered, list_pages
from gallery.site.remembered import open_base
from gallery.site.templates import rendered
from gallery.store.entries import Store
from gallery.store.keys import canonical
from gallery.store.manifest import EntryName

_TRIED = 48
"""Passages that stand for all the others."""
_SLACK = 0.97
"""Share of the budget that is planned with, since passages stand for others and not everything is counted."""


def fit(budget_mb: float, bench: Bench, works: Sequence[Work], folder: Path) -> Carried:
    """Return the most of `bench.carried` that the site can carry within a budget, or the least there is.

    Passages of every length are rendered into a place within `folder`, which is removed again; the choice stays there.
    """
    some = _spread(Store(bench.store), works)
    choices = [replace(choice, fitted_mb=budget_mb) for choice in _choices(bench.carried)]
    if not some:
        return choices[0]
    key = hashlib.sha256(canonical([bench.digest(), budget_mb, len(works), [work.values() for work in some]]).encode()).hexdigest()
    with closing(open_base(folder / "fitted.sqlite", "fitted", ("key", "choice"))) as base, base:
        known = base.execute("select choice from fitted where key = ?", (key,)).fetchone()
        chosen = int(known[0]) if known else _first_that_fits(choices, bench, some, len(works), folder / "fitting")
        if not known:
            base.execute("delete from fitted")
            base.execute("insert into fitted values (?, ?)", (key, chosen))
    return choices[chosen]


def _first_that_fits(choices: Sequence[Carried], bench: Bench, some: Sequence[Work], count: int, scratch: Path) -> int:
    """Return the place of the first choice that fits a site of so many passages, of which some were chosen; the last where none does."""
    fixed = sum(path.stat().st_size for path in bench.shells.rglob("*") if path.is_file())
    room = _SLACK * 1_000_000 * (choices[0].fitted_mb or 0) - fixed

    def fits(carried: Carried) -> bool:
        return _bytes(replace(bench, out=scratch, carried=carried), some, count) <= room

    return min(bisect_left(choices, True, key=fits), len(choices) - 1)


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
    ordered = sorted(found, key=lambda work: store.size("attention", work.row.entries[EntryName("attention")])) if len(found) > _TRIED else found
    count = min(_TRIED, len(found))
    return [ordered[(2 * place + 1) * len(found) // (2 * count)] for place in range(count)]


def _bytes(bench: Bench, some: Sequence[Work], count: int) -> float:
    """Return how much the pages of `count` passages take, judged by some of them: what lies beside them, and the lists.

    A card stands in the index, with its author, and where it is taken for another's; the rest of an author's page does not grow.
    """
    gathered, total = Gathered(), 0
    for one in some:
        summary, files = render(bench, one)
        shutil.rmtree(bench.out)
        gathered.add(one.row, summary)
        total += sum(size for size, _ in files.values())
    pages = list_pages(bench.code, bench.header, gathered, Store(bench.store), bench.carried)
    lists = sum(len(str(slot).encode()) for page in pages for slot in page.slots.values())
    shown = sum(2 if card.right else 3 for card in gathered.cards)
    cards = len(rendered(bench.code, "cards.html", cards=gathered.cards, labels=bench.header.model.labels, root="").encode()) * shown / len(some)
    return (total + cards) * count / len(some) + max(0.0, lists - cards)
