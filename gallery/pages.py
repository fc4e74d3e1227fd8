"""Records and fragments -> pages to be stamped, and the files that lie beside them."""

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup
from slugify import slugify

from gallery import fragments
from gallery.card import described, passage_card
from gallery.citation import Publication, downloads
from gallery.encoding import attention_files
from gallery.fragments import AuthorWord, Card, Neighbour
from gallery.manifest import Header, Row
from gallery.records import Attention, Attribution, Bertviz, Faithfulness, Prediction, Record, Scripts
from gallery.shaded import shaded_passage
from gallery.store import Store


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
    search: str = ""
    """Plain text by which the reader's search finds the page; empty leaves what MkDocs has indexed."""


@dataclass(frozen=True)
class Example:
    """The passage that the page on reading shows: the one the model recognised most surely."""

    card: Card
    prediction: Prediction
    attribution: Attribution


@dataclass
class Gathered:
    """What lists and author pages need of every passage; grows by a few kilobytes a passage."""

    cards: list[Card] = field(default_factory=list)
    words: dict[int, dict[str, list[tuple[float, Neighbour]]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    example: Example | None = None


# As English books spell Russian names: Tolstoy, Gorky, Bryusov.
_SPELLING = (("ий", "y"), ("ый", "y"), ("й", "y"), ("ю", "yu"), ("я", "ya"))


def author_slugs(labels: Sequence[str]) -> list[str]:
    """Return an address for every class: its name in Latin letters, with a number where two would be the same."""
    slugs: list[str] = []
    for number, label in enumerate(labels):
        slug = slugify(label.lower(), max_length=80, replacements=_SPELLING) or f"class-{number}"
        slugs.append(f"{slug}-{number}" if slug in slugs else slug)
    return slugs


def passage_pages(code: str, publication: Publication, store: Store, header: Header, rows: Sequence[Row], out: Path, gathered: Gathered) -> Iterator[Page]:
    """Yield every passage's page, write its card and the files under data/<id>/, and gather what lists need."""
    slugs = author_slugs(header.model.labels)
    for index, row in enumerate(rows):
        records = {name: store.read(name.split("/")[0], key) for name, key in row.entries.items()}
        prediction = records["prediction"]
        assert isinstance(prediction, Prediction)
        attributions = {name: record for name, record in records.items() if isinstance(record, Attribution)}
        attention, bertviz = records.get("attention"), records.get("bertviz")
        tried = records.get(f"faithfulness/{header.methods[0]}/{prediction.ranking[0]}")
        near = [_neighbour(rows, index - 1), _neighbour(rows, index + 1)]
        fragment = fragments.passage_fragment(
            code,
            header,
            row,
            prediction,
            attributions,
            tried if isinstance(tried, Faithfulness) else None,
            attention if isinstance(attention, Attention) else None,
            bertviz if isinstance(bertviz, Bertviz) else None,
            (near[0], near[1]),
            slugs,
            fragments.addresses_within(row.id),
            downloads(code, publication, header, row, attributions),
        )
        _write_pictures(code, publication, out, header, row, prediction, attributions)
        _write_data(code, out / "data" / row.id, header, row, prediction, records)
        _gather(code, gathered, header, row, prediction, attributions)
        author = header.model.labels[row.true_class]
        yield Page(
            shell="passages/shell/",
            address=f"passages/{row.id}/",
            slots={"passage": fragment},
            title=row.title,
            description=described(code, header, row, prediction, attributions[f"attribution/{header.methods[0]}/{row.targets[0]}"]),
            search=f"{author}. {row.work} {prediction.text}",
        )


def list_pages(code: str, header: Header, gathered: Gathered) -> Iterator[Page]:
    """Yield the pages that speak of many passages: the index, the authors, the model."""
    labels, cards = header.model.labels, gathered.cards
    slugs = author_slugs(labels)
    matrix = [[0] * len(labels) for _ in labels]
    for card in cards:
        matrix[card.true_class][card.predicted] += 1
    yield Page("", "", {"index": fragments.index_fragment(code, cards, labels, slugs, matrix)})
    yield Page("authors/", "authors/", {"authors": fragments.authors_fragment(code, labels, slugs, cards)})
    yield Page("model/", "model/", {"model": fragments.model_fragment(code, header)})
    if gathered.example is not None:
        yield Page(
            "how-to-read/", "how-to-read/", fragments.examples(code, header, gathered.example.card, gathered.example.prediction, gathered.example.attribution)
        )
    for number, label in enumerate(labels):
        own = [card for card in cards if card.true_class == number]
        taken = [card for card in cards if card.predicted == number and not card.right]
        fragment = fragments.author_fragment(code, number, labels, slugs, own, taken, _speaking(gathered.words[number]))
        yield Page("authors/shell/", f"authors/{slugs[number]}/", {"author": fragment}, title=label, description=label, search=label)


def _neighbour(rows: Sequence[Row], index: int) -> Neighbour | None:
    return Neighbour(rows[index].id, rows[index].title) if 0 <= index < len(rows) else None


def _gather(code: str, gathered: Gathered, header: Header, row: Row, prediction: Prediction, attributions: Mapping[str, Attribution]) -> None:
    method = header.methods[0]
    shown = attributions[f"attribution/{method}/{row.targets[0]}"]
    predicted = prediction.ranking[0]
    card = Card(
        id=row.id,
        title=row.title,
        work=row.work,
        note=row.note,
        true_class=row.true_class,
        predicted=predicted,
        confidence=float(prediction.probabilities[predicted]),
        words=len(prediction.words),
        strip=fragments.strip(code, prediction, shown),
    )
    gathered.cards.append(card)
    best = gathered.example
    if best is None or (card.right, card.confidence) > (best.card.right, best.card.confidence):
        gathered.example = Example(card, prediction, shown)
    texts = prediction.word_texts()
    here = Neighbour(row.id, row.title)
    for target in row.targets:
        values = attributions[f"attribution/{method}/{target}"].words
        total = float(abs(values).sum()) or 1.0
        once: dict[str, float] = defaultdict(float)
        for text, value in zip(texts, values.tolist(), strict=True):
            if any(c.isalpha() for c in text):
                once[text.lower()] += value / total
        for text, share in once.items():
            gathered.words[target][text].append((share, here))


_WORDS_SHOWN = 12


def _speaking(words: Mapping[str, Sequence[tuple[float, Neighbour]]]) -> list[AuthorWord]:
    """Return the words that speak most strongly for and against, by the sum over passages."""
    sums = sorted(((sum(share for share, _ in found), word) for word, found in words.items()), reverse=True)
    chosen = [word for total, word in sums[:_WORDS_SHOWN] if total > 0] + [word for total, word in reversed(sums[-_WORDS_SHOWN:]) if total < 0]
    return [AuthorWord(word, sum(s for s, _ in words[word]) / len(words[word]), tuple(n for _, n in words[word])) for word in chosen]


def _write_pictures(
    code: str, publication: Publication, out: Path, header: Header, row: Row, prediction: Prediction, attributions: Mapping[str, Attribution]
) -> None:
    """Write the card beside the page, and the shaded passage beside its numbers."""
    view = fragments.views(row, prediction.ranking[0], attributions, header.methods)[0]
    shaded = fragments.paragraphs(prediction, view.words)
    for path, content in (
        (out / "passages" / row.id / "card.png", passage_card(code, header, row, prediction, shaded, publication.name)),
        (out / "data" / row.id / "shaded.svg", shaded_passage(code, header, row, prediction, view, shaded, publication.address(row.id)).encode()),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _write_data(code: str, folder: Path, header: Header, row: Row, prediction: Prediction, records: Mapping[str, Record]) -> None:
    """Write what a passage's page loads or offers for download."""
    folder.mkdir(parents=True, exist_ok=True)
    attributions = [record for record in records.values() if isinstance(record, Attribution)]
    labels = header.model.labels
    (folder / "explanation.json").write_text(
        json.dumps(
            {
                "id": row.id,
                "title": row.title,
                "work": row.work,
                "source": row.source,
                "note": row.note,
                "text": prediction.text,
                "true_class": labels[row.true_class],
                "predicted_class": labels[prediction.ranking[0]],
                "probabilities": dict(zip(labels, prediction.probabilities.tolist(), strict=True)),
                "words": prediction.word_texts(),
                "tokens": prediction.tokens,
                "attributions": [
                    {
                        "method": a.method,
                        "class": labels[a.target],
                        "target": a.target,
                        "output": a.output,
                        "output_value": a.output_value,
                        "baseline_value": a.baseline_value,
                        "convergence_delta": a.delta,
                        "converged": a.converged,
                        "steps": a.steps,
                        "parameters": a.parameters,
                        "words": a.words.tolist(),
                        "tokens": a.tokens.tolist(),
                    }
                    for a in attributions
                ],
                "weights_sha256": header.model.weights_digest,
            },
            ensure_ascii=False,
            indent=1,
        ),
        "utf-8",
    )
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["word", "start", "end", *(f"{a.method}: {labels[a.target]}" for a in attributions)])
    for index, (word, (start, end)) in enumerate(zip(prediction.word_texts(), prediction.words.tolist(), strict=True)):
        # A spreadsheet would run a word that begins like a formula; the quote before it is its own sign for text.
        writer.writerow(["'" + word if word[0] in "=+-@\t" else word, start, end, *(f"{a.words[index]:.6g}" for a in attributions)])
    (folder / "words.csv").write_text(table.getvalue(), "utf-8")
    attention, bertviz = records.get("attention"), records.get("bertviz")
    if isinstance(attention, Attention):
        (folder / "attention").mkdir(exist_ok=True)
        for name, content in attention_files(prediction, attention).items():
            (folder / "attention" / name).write_bytes(content)
    if isinstance(bertviz, Bertviz):
        for view in ("model_view", "head_view"):
            html = fragments.environment(code).get_template("bertviz.html").render(view=view, html=Markup(getattr(bertviz, view)))
            (folder / f"{view}.html").write_text(html, "utf-8")


def write_scripts(store: Store, header: Header, assets: Path) -> None:
    """Write the two libraries that bertviz's views draw with."""
    if header.scripts is not None:
        scripts = store.read("scripts", header.scripts)
        assert isinstance(scripts, Scripts)
        (assets / "d3.js").write_text(scripts.d3, "utf-8")
        (assets / "jquery.js").write_text(scripts.jquery, "utf-8")
