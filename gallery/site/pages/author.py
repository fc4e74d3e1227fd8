"""An author's page: passages and answers, words, kinds of words, heads; and the pages on which its two lists go on."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from gallery.errors import ConfigError
from gallery.methods import method_of
from gallery.site.language import language
from gallery.site.names import speaks_against, speaks_for
from gallery.site.pages.author_sums import AuthorSums
from gallery.site.pages.gathered import GalleryInput
from gallery.site.pages.index import page_title
from gallery.site.pages.page import Declaration, Document, Page
from gallery.site.pages.paging import cut, first_page, later_page
from gallery.site.pages.summary import Card
from gallery.site.templates import rendered
from gallery.site.views import is_signed, level, shade
from gallery.site.vocabulary import has_dictionary

BARS = 40
"""Passages whose bars an author's page shows."""


@dataclass(frozen=True)
class Author:
    """An author class, and the passages and sums that its page shows."""

    number: int
    """The class."""
    name: str
    slug: str
    own: Sequence[Card]
    """Passages by the author."""
    taken: Sequence[Card]
    """Passages by others that the model takes for the author's."""
    sums: AuthorSums

    @property
    def address(self) -> str:
        """Address of the page."""
        return f"authors/{self.slug}/"

    def answers(self) -> list[tuple[int, int]]:
        """Return (passages, class) for each class that the model predicts for the author's passages, the most frequent first."""
        counts = Counter(number for card in self.own for number in card.verdict if number == self.number or number in card.mistaken)
        return sorted(((count, c) for c, count in counts.items()), key=lambda answer: (-answer[0], answer[1] != self.number, answer[1]))

    def takers(self) -> list[tuple[int, int]]:
        """Return (class, passages) for each other author whose passages are taken for this one's, the most frequent first."""
        return sorted(Counter(number for card in self.taken for number in card.truth).items(), key=lambda taker: (-taker[1], taker[0]))


def author_pages(gallery: GalleryInput) -> Iterator[Page]:
    """Yield every author's page, each followed by the pages on which its lists go on."""
    own, taken = defaultdict(list), defaultdict(list)
    for card in gallery.cards:
        for number in card.truth:
            own[number].append(card)
        for number in card.mistaken:
            taken[number].append(card)
    for number, (name, slug) in enumerate(zip(gallery.labels, gallery.slugs(), strict=True)):
        author = Author(number, name, slug, own[number], taken[number], gallery.gathered.authors[number])
        fragment = author_fragment(gallery, author)
        yield Page("authors/shell/", author.address, {"author": fragment}, title=name, description=name, search=name)
        yield from _further_pages(gallery, author, author.own, "page", "passages")
        yield from _further_pages(gallery, author, author.taken, "taken", "taken")


def _further_pages(gallery: GalleryInput, author: Author, cards: Sequence[Card], folder: str, anchor: str) -> Iterator[Page]:
    """Yield the pages of one of an author's lists behind the first."""
    pages = cut(cards)
    for number, shown in enumerate(pages[1:], 2):
        paging = later_page(number, len(pages), f"../../#{anchor}")
        values = {"author": author.number, "labels": gallery.labels, "cards": shown, "kind": anchor, "paging": paging, "root": "../../../../"}
        title = page_title(gallery.code, author.name, number, len(pages))
        fragment = rendered(gallery.code, "author-list.html", **values)
        yield Page("authors/shell/page/shell/", f"{author.address}{folder}/{number}/", {"list": fragment}, title=title, description=title)


def author_fragment(gallery: GalleryInput, author: Author) -> Markup:
    """Return an author's page."""
    words, effects = author.sums.speaking(), author.sums.head_effects()
    own, taken = cut(author.own), cut(author.taken)
    return rendered(
        gallery.code,
        "author.html",
        author=author.number,
        signed=is_signed(gallery.header.methods[0]),
        speaks_for=speaks_for(language(gallery.code), author.name),
        speaks_against=speaks_against(language(gallery.code), author.name),
        labels=gallery.labels,
        slugs=gallery.slugs(),
        cards=author.own,
        right=sum(author.number in card.verdict for card in author.own),
        taken=author.taken,
        answers=author.answers(),
        takers=author.takers(),
        bars=author.own[:BARS],
        words_method=next((name for name in gallery.header.methods if _explains_all(name)), gallery.header.methods[0]),
        first_method=gallery.header.methods[0],
        words_for=[word for word in words if word.value > 0],
        words_against=[word for word in words if word.value < 0],
        pairs=author.sums.together(),
        kinds=author.sums.kind_shares(),
        lemmas=any(has_dictionary(card.language) for card in author.own),
        heads=author.sums.strongest_heads(),
        effects=effects,
        effect_scale=max((abs(effect) for row in effects for effect in row), default=0.0),
        level=level,
        shade=shade,
        own_paging=first_page(len(own), "page/"),
        taken_paging=first_page(len(taken), "taken/"),
        own_shown=own[0],
        taken_shown=taken[0],
        root="../../",
    )


def _explains_all(name: str) -> bool:
    """Tell whether a method explains every class; no for a method that is not installed here."""
    try:
        return method_of(name).every_class
    except ConfigError:
        return False


DECLARATION = Declaration(
    position=25,
    documents=(Document("authors/shell.md", ("author",)), Document("authors/shell/page/shell.md", ("list",))),
    pages=author_pages,
)
