"""The index of passages: headline figures, filters, cards, the confusion matrix; and its further pages."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gallery.site.language import language
from gallery.site.pages.gathered import GalleryInput
from gallery.site.pages.page import Declaration, Document, Page
from gallery.site.pages.paging import cut, first_page, later_page
from gallery.site.pages.summary import Card
from gallery.site.templates import rendered
from gallery.site.views import is_signed
from gallery.store.records import Model


def index_pages(gallery: GalleryInput) -> Iterator[Page]:
    """Yield the front page and the pages on which its list goes on."""
    code, labels, cards = gallery.code, gallery.labels, gallery.cards
    matrix = [[0] * len(labels) for _ in labels]
    for card in cards:
        for true in card.truth:
            for said in card.verdict:
                matrix[true][said] += 1
    pages = cut(cards)
    filters = _filters(cards, labels)
    common = {"labels": labels, "signed": is_signed(gallery.header.methods[0]), **filters}
    paging = first_page(len(pages), "passages/page/")
    told = {"kinds": kinds_told(cards), "tested": _accuracy(gallery.header.model), "by_class": _by_class(gallery)}
    unfinished = {"unfinished_methods": gallery.header.unfinished_methods, "unfinished_trials": gallery.header.unfinished_trials}
    front = rendered(
        code, "index.html", every=cards, cards=pages[0], slugs=gallery.slugs(), matrix=matrix, paging=paging, root="", **told, **unfinished, **common
    )
    yield Page("", "", {"index": front})
    for number, shown in enumerate(pages[1:], 2):
        paging = later_page(number, len(pages), "../../../")
        fragment = rendered(code, "list.html", cards=shown, paging=paging, root=paging.first, **common)
        title = page_title(code, language(code).gettext("Passages"), number, len(pages))
        yield Page("passages/page/shell/", f"passages/page/{number}/", {"list": fragment}, title=title, description=title)


def _by_class(gallery: GalleryInput) -> list[tuple[int, int, int, int]]:
    """Return, for a multi-label model, (class, passages of it, of them named so, passages wrongly named so); nothing for other models."""
    if gallery.header.model.problem != "multi_label":
        return []
    true = Counter(number for card in gallery.cards for number in card.truth)
    found = Counter(number for card in gallery.cards for number in card.truth if number in card.verdict)
    wrong = Counter(number for card in gallery.cards for number in card.mistaken)
    return [(number, true[number], found[number], wrong[number]) for number in range(len(gallery.labels)) if true[number] or wrong[number]]


@dataclass(frozen=True)
class KindTold:
    """Passages of one kind, and how many of them the model recognised."""

    kind: str
    """The maker's word; empty for genuine passages."""
    right: int
    count: int


def kinds_told(cards: Sequence[Card]) -> list[KindTold]:
    """Return the kinds of passages, the most frequent first."""
    counts, right = Counter(card.kind for card in cards), Counter(card.kind for card in cards if card.right)
    return [KindTold(kind, right[kind], count) for kind, count in counts.most_common()]


def _accuracy(model: Model) -> float | None:
    """Return the accuracy on the longest test passages that training measured, or None where its figures have none."""
    lengths = (model.figures or {}).get("lengths") or {}
    longest = max(lengths, key=int, default=None)
    return lengths[longest].get("top1") if longest is not None else None


def page_title(code: str, name: str, number: int, count: int) -> str:
    """Return the title of a further page of a list."""
    _ = language(code).gettext
    return f"{name}: {_('page {number} of {count}').format(number=number, count=count)}"


def _filters(cards: Sequence[Card], labels: Sequence[str]) -> dict[str, Any]:
    """Return the choices that the index's filters offer: the classes of some passage or prediction by name, and ranges of length."""
    classes = {number for card in cards for number in (*card.truth, *card.verdict)}
    return {"shown": sorted(classes, key=lambda number: labels[number]), "lengths": length_ranges(cards)}


def length_ranges(cards: Sequence[Card]) -> list[tuple[int, int | None]]:
    """Return three ranges of words (from, to or None) with about as many passages each, ends rounded; none where all lengths are alike."""
    lengths = sorted(card.words for card in cards)
    ends = [round(lengths[len(lengths) * third // 3], -1) for third in (1, 2)] if lengths else [0, 0]
    return [(0, ends[0]), (ends[0], ends[1]), (ends[1], None)] if 0 < ends[0] < ends[1] else []


DECLARATION = Declaration(
    position=10,
    documents=(Document("index.md"), Document("passages/page/shell.md", ("list",))),
    pages=index_pages,
    nav=lambda _: _("Passages"),
)
