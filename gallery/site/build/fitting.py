"""Chooses the parts that the site carries of its passages, so that it stays within its budget: the most that fits, tried on real pages.

The choice is kept beside the generated documents with all that it depends on, so that a build with the same input does not
try again.
"""

import hashlib
import shutil
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from gallery.site.build.rendering import PassageJob, SiteInput, render
from gallery.site.build_cache import open_base
from gallery.site.check.sizes import evenly
from gallery.site.entries import attention_key
from gallery.site.pages.attention_carried import Carried
from gallery.site.pages.declared import declarations
from gallery.site.pages.gathered import GalleryInput, Gathered
from gallery.site.templates import rendered
from gallery.store.entries import Store
from gallery.store.keys import canonical

_TRIED = 48
"""Passages that are rendered as a sample of all."""
_SLACK = 0.97
"""Share of the budget to fill, since a sample is measured and not every file is counted."""


def fit(budget_mb: float, site_input: SiteInput, jobs: Sequence[PassageJob], folder: Path) -> Carried:
    """Return the most of `site_input.carried` that the site can carry within a budget, or the least choice there is.

    A sample of passages is rendered into a folder within `folder`, which is removed again; the choice is kept in `folder`.
    """
    sample = _spread(Store(site_input.store), jobs)
    choices = [replace(choice, fitted_mb=budget_mb) for choice in _choices(site_input.carried)]
    if not sample:
        return choices[0]
    key = hashlib.sha256(canonical([site_input.digest(), budget_mb, len(jobs), [job.values() for job in sample]]).encode()).hexdigest()
    with closing(open_base(folder / "fitted.sqlite", "fitted", ("key", "choice"))) as base, base:
        known = base.execute("select choice from fitted where key = ?", (key,)).fetchone()
        chosen = int(known[0]) if known else _first_that_fits(choices, site_input, sample, len(jobs), folder / "fitting")
        if not known:
            base.execute("delete from fitted")
            base.execute("insert into fitted values (?, ?)", (key, chosen))
    return choices[chosen]


def _first_that_fits(choices: Sequence[Carried], site_input: SiteInput, sample: Sequence[PassageJob], count: int, scratch: Path) -> int:
    """Return the number of the first choice with which a site of `count` passages fits, judged by a sample; the last where none does."""
    fixed = sum(path.stat().st_size for path in site_input.shells.rglob("*") if path.is_file())
    room = _SLACK * 1_000_000 * (choices[0].fitted_mb or 0) - fixed

    def fits(carried: Carried) -> bool:
        return _bytes(replace(site_input, out=scratch, carried=carried), sample, count) <= room

    return min(bisect_left(choices, True, key=fits), len(choices) - 1)


def _choices(most: Carried) -> list[Carried]:
    """Return the choices, the most first.

    bertviz is left out first, then layers, then means; after these, downloads are packed, the picture of the heads is made
    smaller, and the cards are left out.
    """
    fewer = [replace(most, layers=evenly(most.layers, count), bertviz=False) for count in range(len(most.layers), -1, -1)]
    bare = replace(most, layers=(), means=False, bertviz=False)
    leaner = [replace(bare, packed=True), replace(bare, packed=True, small=True), replace(bare, packed=True, small=True, cards=False)]
    return [most, *(carried for carried in fewer if carried.layers or carried.means), bare, *leaner]


def _spread(store: Store, jobs: Sequence[PassageJob]) -> list[PassageJob]:
    """Return at most _TRIED passages, evenly spread over the lengths."""
    ordered = sorted(jobs, key=lambda job: store.size("attention", attention_key(job.row))) if len(jobs) > _TRIED else jobs
    count = min(_TRIED, len(jobs))
    return [ordered[(2 * number + 1) * len(jobs) // (2 * count)] for number in range(count)]


def _bytes(site_input: SiteInput, sample: Sequence[PassageJob], count: int) -> float:
    """Return the bytes that `count` passages take, judged by a sample: their pages, the files beside these, and the lists.

    A card is counted in the index, with its author, and with the author for whom it is taken; the rest of an author's page does
    not grow with the passages.
    """
    gathered, total = Gathered(), 0
    for job in sample:
        summary, files = render(site_input, job)
        shutil.rmtree(site_input.out)
        gathered.add(job.row, summary)
        total += sum(size for size, _ in files.values())
    gallery = GalleryInput(site_input.publication, site_input.header, gathered, Store(site_input.store), site_input.carried, site_input.source)
    lists = sum(len(str(slot).encode()) for declaration in declarations() for page in declaration.pages(gallery) for slot in page.slots.values())
    shown = sum(2 if card.right else 3 for card in gathered.cards)
    values = {"cards": gathered.cards, "labels": gallery.labels, "root": ""}
    cards = len(rendered(gallery.code, "cards.html", **values).encode()) * shown / len(sample)
    return (total + cards) * count / len(sample) + max(0.0, lists - cards)
