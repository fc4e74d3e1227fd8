"""Records and fragments -> pages to be stamped, and the files that lie beside them."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup
from slugify import slugify

from gallery.passages.read import RESERVED
from gallery.site.check.policy import frame_policy, with_policy
from gallery.site.language import language
from gallery.site.pages import fragments, lists
from gallery.site.pages.authors import AuthorSums, HeadsSeen, Spoken, heads_seen, spoken
from gallery.site.pages.carried import Carried, carried_files
from gallery.site.pages.citation import Publication, downloads
from gallery.site.pages.fragments import Neighbour
from gallery.site.pages.lists import Card
from gallery.site.pages.measures import Tested, tested
from gallery.site.pages.methods_page import methods_slots
from gallery.site.pages.multiples import multiples
from gallery.site.pages.numbers import explanation, json_bytes, packed, word_table
from gallery.site.pages.paging import behind, cut, front
from gallery.site.pictures.card import beginning, described, passage_card, site_card
from gallery.site.pictures.shaded import shaded_passage
from gallery.site.templates import environment
from gallery.site.views import Piece, explained, paragraphs, views
from gallery.site.vocabulary import text_language
from gallery.store.entries import Store
from gallery.store.manifest import Header, Row
from gallery.store.records import Attention, Bertviz, Faithfulness, Heads, Record, Scripts


@dataclass(frozen=True)
class Page:
    """A page of the site: what goes into the shell that MkDocs has rendered for its kind."""

    shell: str
    """Address of the shell: passages/shell/, authors/shell/, or a page's own."""
    address: str
    """Where the page goes, with a slash at the end; empty for the front page."""
    slots: Mapping[str, Markup]
    """Slot name -> fragment."""
    title: str = ""
    description: str = ""
    card: bool = True
    """Whether a page of a passage has a card of its own."""
    search: str = ""
    """Plain text by which the reader's search finds the page; empty leaves what MkDocs has indexed."""


@dataclass(frozen=True)
class Summary:
    """What lists, author pages and the search need of a passage; plain values, since it outlives its build."""

    card: Card
    search: str
    """Author, work and text."""
    said: dict[int, Spoken]
    """Class explained -> what the passage's words say of it."""
    heads: HeadsSeen | None
    """What the model's heads do for the true author."""
    largest: dict[str, float]
    """Method -> the largest |contribution| of a word."""
    tested: Tested


@dataclass
class Gathered:
    """What lists and author pages need of all passages: their cards, and sums that grow with the vocabulary alone."""

    cards: list[Card] = field(default_factory=list)
    authors: dict[int, AuthorSums] = field(default_factory=lambda: defaultdict(AuthorSums))
    largest: dict[str, float] = field(default_factory=dict)
    """Method -> the largest |contribution| of a word in the gallery."""
    searches: list[str] = field(default_factory=list)
    """[cards] what the search finds each passage by."""
    surest: tuple[Card, Row] | None = None
    """The passage the model recognised most surely, which the page on reading shows."""
    tests: list[Tested] = field(default_factory=list)
    """[cards] what the trials say of the methods."""

    def add(self, row: Row, summary: Summary) -> None:
        """Take in one passage."""
        card = summary.card
        self.cards.append(card)
        self.searches.append(summary.search)
        self.tests.append(summary.tested)
        if self.surest is None or (card.right, card.confidence) > (self.surest[0].right, self.surest[0].confidence):
            self.surest = (card, row)
        for target, said in summary.said.items():
            self.authors[target].add(card.id, card.title, said)
        if card.true_class in summary.said:
            self.authors[card.true_class].add_own(summary.said[card.true_class], summary.heads)
        for method, value in summary.largest.items():
            self.largest[method] = max(value, self.largest.get(method, 0.0))


# As English books spell Russian names: Tolstoy, Gorky, Bryusov.
_SPELLING = (("ий", "y"), ("ый", "y"), ("й", "y"), ("ю", "yu"), ("я", "ya"))


def author_slugs(labels: Sequence[str]) -> list[str]:
    """Return an address for every class: its name in Latin letters, with a number where two would be the same."""
    slugs: list[str] = []
    for number, label in enumerate(labels):
        slug = slugify(label.lower(), max_length=80, replacements=_SPELLING) or f"class-{number}"
        while slug in slugs or slug in RESERVED:
            slug = f"{slug}-{number}"
        slugs.append(slug)
    return slugs


def read_records(store: Store, row: Row) -> dict[str, Record]:
    """Return a passage's entries by name.

    Raises StoreError where one is missing or damaged.
    """
    return {str(name): store.read(name.kind, key) for name, key in row.entries.items()}


def passage_page(
    code: str,
    publication: Publication,
    header: Header,
    row: Row,
    records: Mapping[str, Record],
    near: tuple[Neighbour | None, Neighbour | None],
    slugs: Sequence[str],
    carried: Carried,
) -> Page:
    """Return a passage's page; `near` are the passages before and behind it."""
    prediction, attributions = explained(records)
    tried = {name: record for name, record in records.items() if isinstance(record, Faithfulness)}
    fragment = fragments.passage_fragment(
        code,
        header,
        row,
        records,
        slugs,
        carried,
        fragments.addresses_within(row.id, carried),
        downloads(code, publication, header, row, attributions),
        near,
        multiples(prediction, attributions, tried, header.methods),
    )
    return Page(
        shell="passages/shell/",
        address=f"passages/{row.id}/",
        slots={"passage": fragment},
        title=row.title,
        description=described(code, header, row, prediction, attributions[f"attribution/{header.methods[0]}/{row.targets[0]}"]),
        card=carried.cards,
    )


def summarise(code: str, header: Header, row: Row, records: Mapping[str, Record]) -> Summary:
    """Return what is shown of a passage elsewhere."""
    prediction, attributions = explained(records)
    method = header.methods[0]
    predicted = prediction.ranking[0]
    shown = attributions[f"attribution/{method}/{row.targets[0]}"]
    own = text_language(prediction.text, code)
    card = Card(
        id=row.id,
        title=row.title,
        work=row.work,
        note=row.note,
        true_class=row.true_class,
        predicted=predicted,
        confidence=float(prediction.probabilities[predicted]),
        words=len(prediction.words),
        strip=lists.strip(code, prediction, shown),
        language=own,
        bar=lists.bar(shown),
    )
    heads, attention = records.get("heads"), records.get("attention")
    largest: dict[str, float] = defaultdict(float)
    for attribution in attributions.values():
        largest[attribution.method] = max(largest[attribution.method], float(abs(attribution.words).max(initial=0)))
    return Summary(
        card=card,
        search=f"{header.model.labels[row.true_class]}. {row.work} {prediction.text}",
        said={target: spoken(prediction, attributions[f"attribution/{method}/{target}"], own) for target in row.targets},
        heads=heads_seen(heads, attention if isinstance(attention, Attention) else None, row.true_class) if isinstance(heads, Heads) else None,
        largest=dict(largest),
        tested=tested(header.methods, predicted, records),
    )


def list_pages(code: str, header: Header, gathered: Gathered, store: Store, carried: Carried) -> Iterator[Page]:
    """Yield the pages that speak of many passages: the index, the authors, the model."""
    labels = header.model.labels
    slugs = author_slugs(labels)
    yield from _index_pages(code, labels, slugs, gathered.cards)
    yield Page("authors/", "authors/", {"authors": lists.authors_fragment(code, labels, slugs, gathered.cards)})
    yield Page("compare/", "compare/", {"compare": fragments.compare_fragment(code, header, carried)})
    yield Page("model/", "model/", {"model": fragments.model_fragment(code, header)})
    yield Page("methods/", "methods/", methods_slots(code, header, gathered.tests))
    if gathered.surest is not None:
        card, row = gathered.surest
        prediction, attributions = explained(read_records(store, row))
        shown = attributions[f"attribution/{header.methods[0]}/{row.targets[0]}"]
        yield Page("how-to-read/", "how-to-read/", fragments.examples(code, header, card, prediction, shown))
    own, taken = defaultdict(list), defaultdict(list)
    for card in gathered.cards:
        own[card.true_class].append(card)
        if not card.right:
            taken[card.predicted].append(card)
    for number, slug in enumerate(slugs):
        yield from _author_pages(code, number, labels, slug, slugs, own[number], taken[number], gathered.authors[number])


def _index_pages(code: str, labels: Sequence[str], slugs: Sequence[str], cards: Sequence[Card]) -> Iterator[Page]:
    matrix = [[0] * len(labels) for _ in labels]
    for card in cards:
        matrix[card.true_class][card.predicted] += 1
    count = len(cut(cards))
    yield Page("", "", {"index": lists.index_fragment(code, cards, labels, slugs, matrix, front(count, "passages/page/"))})
    offered = lists.choices(cards, labels)
    for number, shown in enumerate(cut(cards)[1:], 2):
        fragment = lists.list_fragment(code, shown, labels, offered, behind(number, count, "../../../"))
        title = lists.page_title(code, "", number, count)
        yield Page("passages/page/shell/", f"passages/page/{number}/", {"list": fragment}, title=title, description=title)


def _author_pages(
    code: str, author: int, labels: Sequence[str], slug: str, slugs: Sequence[str], own: Sequence[Card], taken: Sequence[Card], sums: AuthorSums
) -> Iterator[Page]:
    """Yield an author's page, and those on which its two lists go on."""
    name, address = labels[author], f"authors/{slug}/"
    both = [(own, "page"), (taken, "taken")]
    counts = [len(cut(cards)) for cards, _ in both]
    pagings = (front(counts[0], "page/"), front(counts[1], "taken/"))
    answers = [sum(card.predicted == number for card in own) for number in range(len(labels))]
    fragment = lists.author_fragment(code, author, labels, slugs, own, taken, sums, answers, pagings)
    yield Page("authors/shell/", address, {"author": fragment}, title=name, description=name, search=name)
    for (cards, folder), count, anchor in zip(both, counts, ("passages", "taken"), strict=True):
        for number, shown in enumerate(cut(cards)[1:], 2):
            more = lists.author_list_fragment(code, author, labels, shown, anchor, behind(number, count, f"../../#{anchor}"))
            title = lists.page_title(code, name, number, count)
            yield Page("authors/shell/page/shell/", f"{address}{folder}/{number}/", {"list": more}, title=title, description=title)


def list_index(cards: Sequence[Card]) -> str:
    """Return what filters need of every passage, by columns, in the lists' order: JSON of some ten bytes a passage."""
    columns = {
        "true": [card.true_class for card in cards],
        "predicted": [card.predicted for card in cards],
        "confidence": [round(card.confidence, 3) for card in cards],
        "words": [card.words for card in cards],
    }
    return json.dumps(columns, separators=(",", ":"))


def write_shared(gathered: Gathered, header: Header, out: Path) -> None:
    """Write what elements of several pages load: all passages to choose from, and the gallery's scales."""
    labels = header.model.labels
    passages = [{"id": card.id, "title": card.title, "author": labels[card.true_class]} for card in gathered.cards]
    (out / "data").mkdir(exist_ok=True)
    for name, content in (("passages", passages), ("scales", {method: float(f"{value:.4g}") for method, value in gathered.largest.items()})):
        (out / "data" / f"{name}.json").write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), "utf-8")


def gallery_card(code: str, publication: Publication, header: Header, gathered: Gathered, store: Store) -> bytes:
    """Return the card of the pages that are about no one passage, with the beginning of the one that was recognised most surely."""
    shaded: list[list[Piece]] = []
    if gathered.surest is not None:
        _, row = gathered.surest
        prediction, attributions = explained(read_records(store, row))
        shaded = paragraphs(prediction, attributions[f"attribution/{header.methods[0]}/{row.targets[0]}"].words.tolist())
    count, speech = len(gathered.cards), language(code)
    right = sum(card.right for card in gathered.cards) / (count or 1)
    figures = f"{count} {speech.ngettext('passage', 'passages', count)} · {speech.gettext('%(share)s recognised') % {'share': speech.percent(right)}}"
    return site_card(publication.name, publication.description, figures, beginning(shaded))


def write_card(code: str, publication: Publication, out: Path, header: Header, row: Row, records: Mapping[str, Record]) -> None:
    """Write the card beside a passage's page."""
    prediction, attributions = explained(records)
    shaded = paragraphs(prediction, views(row, prediction.ranking[0], attributions, header.methods)[0].words)
    path = out / "passages" / row.id / "card.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(passage_card(code, header, row, prediction, shaded, publication.name))


def write_data(code: str, publication: Publication, folder: Path, header: Header, row: Row, records: Mapping[str, Record], carried: Carried) -> None:
    """Write what a passage's page loads or offers for download."""
    folder.mkdir(parents=True, exist_ok=True)
    prediction, _ = explained(records)
    for name, content in _taken_away(code, publication, header, row, records, carried).items():
        (folder / name).write_bytes(content)
    attention, bertviz = records.get("attention"), records.get("bertviz")
    if isinstance(attention, Attention):
        (folder / "attention").mkdir(exist_ok=True)
        for name, content in carried_files(prediction, attention, carried).items():
            (folder / "attention" / name).write_bytes(content)
    if isinstance(bertviz, Bertviz):
        for view in ("model_view", "head_view"):
            html = environment(code).get_template("bertviz.html").render(view=view, html=Markup(getattr(bertviz, view)))
            (folder / f"{view}.html").write_text(with_policy(html, frame_policy(html)), "utf-8")


def _taken_away(code: str, publication: Publication, header: Header, row: Row, records: Mapping[str, Record], carried: Carried) -> dict[str, bytes]:
    """Return the files that a reader may take away, by name; the page itself reads the numbers too."""
    prediction, attributions = explained(records)
    view = views(row, prediction.ranking[0], attributions, header.methods)[0]
    picture = shaded_passage(code, header, row, prediction, view, paragraphs(prediction, view.words), publication.address(row.id)).encode()
    everything = explanation(header, row, prediction, attributions, text_language(prediction.text, code))
    if carried.packed:
        return {"shaded.svgz": packed(picture), "explanation.json.gz": packed(json_bytes(everything))}
    return {"shaded.svg": picture, "explanation.json": json_bytes(everything), "words.csv": word_table(everything, prediction).encode()}


def write_scripts(store: Store, header: Header, assets: Path) -> None:
    """Write the two libraries that bertviz's views draw with."""
    if header.scripts is not None:
        scripts = store.read("scripts", header.scripts)
        assert isinstance(scripts, Scripts)
        (assets / "d3.js").write_text(scripts.d3, "utf-8")
        (assets / "jquery.js").write_text(scripts.jquery, "utf-8")
