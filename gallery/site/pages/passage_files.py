"""The files beside a passage's page: its card, its data and downloads, bertviz's views."""

from pathlib import Path

from markupsafe import Markup

from gallery.site.entries import first_of
from gallery.site.pages.attention_carried import Carried, carried_files
from gallery.site.pages.numbers import explanation, json_bytes, packed, word_table
from gallery.site.passage_input import PassageInput
from gallery.site.pictures.card import passage_card
from gallery.site.pictures.shaded import shaded_passage
from gallery.site.policy import frame_policy, with_policy
from gallery.site.templates import environment
from gallery.store.entries import Store
from gallery.store.manifest import Header
from gallery.store.records import Scripts


def write_card(passage: PassageInput, out: Path) -> None:
    """Write the card beside a passage's page."""
    path = out / "passages" / passage.row.id / "card.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(passage_card(passage))


def write_data(passage: PassageInput, carried: Carried, folder: Path) -> None:
    """Write the files that a passage's page loads or offers for download."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in _downloads(passage, carried).items():
        (folder / name).write_bytes(content)
    attention, bertviz = passage.attention, passage.bertviz
    if attention is not None:
        (folder / "attention").mkdir(exist_ok=True)
        for name, content in carried_files(passage.prediction, attention, carried).items():
            (folder / "attention" / name).write_bytes(content)
    if bertviz is not None:
        for view in ("model_view", "head_view"):
            html = environment(passage.code).get_template("bertviz.html").render(view=view, html=Markup(getattr(bertviz, view)))
            (folder / f"{view}.html").write_text(with_policy(html, frame_policy(html)), "utf-8")


def _downloads(passage: PassageInput, carried: Carried) -> dict[str, bytes]:
    """Return the files that a reader may download, by name; the page itself reads the numbers too."""
    picture = shaded_passage(passage).encode()
    everything = explanation(passage)
    if carried.packed:
        return {"shaded.svgz": packed(picture), "explanation.json.gz": packed(json_bytes(everything))}
    return {"shaded.svg": picture, "explanation.json": json_bytes(everything), "words.csv": word_table(everything, passage.prediction).encode()}


def write_scripts(store: Store, header: Header, assets: Path) -> None:
    """Write the two libraries that bertviz's views draw with.

    Raises StoreError where their entry is missing or damaged.
    """
    if header.scripts is not None:
        scripts = first_of([store.read("scripts", header.scripts)], Scripts)
        assert scripts is not None
        (assets / "d3.js").write_text(scripts.d3, "utf-8")
        (assets / "jquery.js").write_text(scripts.jquery, "utf-8")
