"""Exports a passage's page as one file that needs no other: it opens from a disk or a mail, without a network."""

import base64
import difflib
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from gallery.errors import GalleryError, PassageError, shown
from gallery.files import write_whole
from gallery.site.entries import read_records
from gallery.site.pages.attention_carried import Carried, carried_files
from gallery.site.pages.numbers import explanation, json_bytes, packed
from gallery.site.pages.passage import Addresses, passage_fragment
from gallery.site.passage_input import PassageInput, passage_input
from gallery.site.pictures.card import described
from gallery.site.pictures.shaded import shaded_passage
from gallery.site.publication import read_publication
from gallery.site.templates import environment
from gallery.store.entries import Store
from gallery.store.manifest import read_header, read_rows

_STATIC = Path(__file__).parents[2] / "static"
_EMBEDDED = "held:attention/"
_ALL_LAYERS_BYTES = 5_000_000
"""Largest file that gets all layers where none are named."""


@dataclass(frozen=True)
class Exported:
    """The exported file."""

    size: int
    """Bytes."""
    layers: tuple[int, ...]
    """Layers whose attention is in the file, from 1."""
    whole: int
    """Bytes with all layers."""


def parse_layers(text: str) -> tuple[int, ...] | None:
    """Return the layers of an option: None for `all`, () for `none`, else numbers separated by commas.

    Raises GalleryError for any other text.
    """
    if text in {"all", "none"}:
        return None if text == "all" else ()
    if not re.fullmatch(r"\d+(,\d+)*", text):
        raise GalleryError(f"--layers: {shown(text)} is not valid. Give all, none, or numbers such as 1,4.")
    return tuple(sorted({int(number) for number in text.split(",")}))


def export_page(store: Store, config_file: Path, ident: str, out: Path, layers: str | None) -> Exported:
    """Write the page of one passage to a file.

    Raises PassageError where there is no such passage, GalleryError where a layer does not exist or the file cannot be written.
    """
    publication, header = read_publication(config_file), read_header(store)
    rows = {row.id: row for row in read_rows(store)}
    if ident not in rows:
        near = ", ".join(difflib.get_close_matches(ident, rows, 3, 0.5))
        raise PassageError(f"{ident}: no such passage in the store. {f'Did you mean {near}?' if near else 'Its id is the end of its page’s address.'}")
    records = read_records(store, rows[ident], without=frozenset({"bertviz"}))
    passage = passage_input(publication, header, rows[ident], records)
    every = tuple(range(1, header.model.attending + 1)) if passage.attention is not None else ()
    wanted = every if layers is None or (asked := parse_layers(layers)) is None else asked
    if unknown := [number for number in wanted if number not in every]:
        raise GalleryError(f"--layers: no layer {unknown[0]}; {ident} has {f'layers 1 to {len(every)}' if every else 'no attention'}.")
    page = _page(passage, wanted)
    whole = len(page)
    if layers is None and whole > _ALL_LAYERS_BYTES:
        wanted = ()
        page = _page(passage, wanted)
    write_whole(out, page)
    return Exported(len(page), wanted, whole)


def _page(passage: PassageInput, layers: tuple[int, ...]) -> bytes:
    """Return a passage's page with the attention of some layers, numbered from 1."""
    attention = passage.attention
    carried = Carried(tuple(number - 1 for number in layers), passage.header.model.attending, means=bool(layers), bertviz=False)
    files = carried_files(passage.prediction, attention, carried) if attention is not None else {}
    heads = files.pop("heads.png", None)
    addresses = Addresses(
        site=passage.publication.url,
        attention=_EMBEDDED if layers else "",
        heads=_data_url("image/png", heads) if heads else "",
        numbers=_data_url("application/gzip", packed(json_bytes(explanation(passage)))),
        table="",
        scales="",
        shaded=_data_url("image/svg+xml", shaded_passage(passage).encode()),
    )
    imports = json.dumps({"imports": _modules(bool(layers))}, sort_keys=True)
    page = (
        environment(passage.code)
        .get_template("export.html")
        .render(
            row=passage.row,
            author=passage.author,
            description=described(passage),
            publication=passage.publication,
            address=passage.publication.address(passage.row.id),
            fragment=passage_fragment(passage, carried, addresses),
            styles=[(_STATIC / name).read_text("utf-8") for name in ("gallery.css", "attention.css", "comparison.css", "erasing.css")],
            imports=imports,
            start=_START,
            hashes=[_hash(imports), _hash(_START)],
            files={_EMBEDDED + name: base64.b64encode(content).decode() for name, content in files.items()},
        )
    )
    return page.encode()


_ENTRY, _ATTENTION = "gallery.js", "attention.js"
_NO_ATTENTION = "export class GalleryAttention extends HTMLElement {}"
_IMPORT = re.compile(r'(\bfrom |\bimport )"\./([\w-]+\.js)"')
# Pictures become blobs, since the grid of heads names its picture once a head; the page is dark where the reader's system is.
_START = """if (matchMedia("(prefers-color-scheme: dark)").matches) document.body.dataset.mdColorScheme = "slate";
for (const picture of document.querySelectorAll("img[src^='data:']")) picture.src = URL.createObjectURL(await (await fetch(picture.src)).blob());
await import("gallery/gallery.js");"""


def _modules(attention: bool) -> dict[str, str]:
    """Return an import map: every module of the pages by a bare name, as a data address with its text.

    A module in a data address cannot import by relative names, so these become bare names too. The element for attention
    does nothing where there are no data for it.
    """
    addresses: dict[str, str] = {}
    waiting = [_ENTRY]
    while waiting:
        name = waiting.pop()
        if f"gallery/{name}" not in addresses:
            text = (_STATIC / name).read_text("utf-8") if attention or name != _ATTENTION else _NO_ATTENTION
            waiting += [other for _, other in _IMPORT.findall(text)]
            text = _IMPORT.sub(r'\1"gallery/\2"', text)
            addresses[f"gallery/{name}"] = "data:text/javascript;charset=utf-8," + quote(text, safe=" !$&'()*+,-./:;=?@[]^_`{|}~")
    return addresses


def _data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _hash(script: str) -> str:
    """Return the name of an inline script for a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
