"""A passage's page as one file that needs no other: it opens from a disk or a letter, with the network cut."""

import base64
import difflib
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from gallery.errors import GalleryError, PassageError
from gallery.files import write_whole
from gallery.site.pages import fragments
from gallery.site.pages.carried import Carried, carried_files
from gallery.site.pages.citation import Publication, downloads, read_publication
from gallery.site.pages.fragments import Addresses
from gallery.site.pages.numbers import explanation, json_bytes, packed
from gallery.site.pages.pages import author_slugs, read_records
from gallery.site.pictures.card import described
from gallery.site.pictures.shaded import shaded_passage
from gallery.site.templates import environment
from gallery.site.views import explained, paragraphs, views
from gallery.site.vocabulary import text_language
from gallery.store.entries import Store
from gallery.store.manifest import Row, read_header, read_rows
from gallery.store.records import Attention, Record

_STATIC = Path(__file__).parents[2] / "static"
_HELD = "held:attention/"
_FITS = 5_000_000
"""Bytes up to which a file takes all layers without being asked to."""


@dataclass(frozen=True)
class Exported:
    """What was written."""

    size: int
    layers: tuple[int, ...]
    """Layers whose attention is in the file, from 1."""
    whole: int
    """How large the file would be with all layers."""


def parse_layers(text: str) -> tuple[int, ...] | None:
    """Return the layers that `all` (None), `none` or numbers with commas between them ask for.

    Raises GalleryError.
    """
    if text in {"all", "none"}:
        return None if text == "all" else ()
    if not re.fullmatch(r"\d+(,\d+)*", text):
        raise GalleryError(f"--layers: {text!r} is none of all, none, and numbers such as 1,4.")
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
    records = {name: record for name, record in read_records(store, rows[ident]).items() if name != "bertviz"}
    attention = records.get("attention")
    every = tuple(range(1, header.model.layers + 1)) if isinstance(attention, Attention) else ()
    wanted = every if layers is None or (asked := parse_layers(layers)) is None else asked
    if unknown := [number for number in wanted if number not in every]:
        raise GalleryError(f"--layers: no layer {unknown[0]}; {ident} has {f'layers 1 to {len(every)}' if every else 'no attention'}.")
    page = _page(store, publication, rows[ident], records, wanted)
    whole = len(page)
    if layers is None and whole > _FITS:
        wanted = ()
        page = _page(store, publication, rows[ident], records, wanted)
    write_whole(out, page)
    return Exported(len(page), wanted, whole)


def _page(store: Store, publication: Publication, row: Row, records: Mapping[str, Record], layers: tuple[int, ...]) -> bytes:
    code, header = publication.language, read_header(store)
    prediction, attributions = explained(records)
    attention = records.get("attention")
    carried = Carried(tuple(number - 1 for number in layers), header.model.layers, means=bool(layers), bertviz=False)
    files = carried_files(prediction, attention, carried) if isinstance(attention, Attention) else {}
    heads = files.pop("heads.png", None)
    everything = explanation(header, row, prediction, attributions, text_language(prediction.text, code))
    view = views(row, prediction.ranking[0], attributions, header.methods)[0]
    picture = shaded_passage(code, header, row, prediction, view, paragraphs(prediction, view.words), publication.address(row.id))
    addresses = Addresses(
        site=publication.url,
        attention=_HELD if layers else "",
        heads=_data_url("image/png", heads) if heads else "",
        numbers=_data_url("application/gzip", packed(json_bytes(everything))),
        table="",
        scales="",
        shaded=_data_url("image/svg+xml", picture.encode()),
    )
    fragment = fragments.passage_fragment(
        code,
        header,
        row,
        records,
        author_slugs(header.model.labels),
        carried,
        addresses,
        downloads(code, publication, header, row, attributions),
    )
    imports = json.dumps({"imports": _modules(bool(layers))}, sort_keys=True)
    template = environment(code).get_template("export.html")
    page = template.render(
        row=row,
        author=header.model.labels[row.true_class],
        description=described(code, header, row, prediction, attributions[f"attribution/{header.methods[0]}/{row.targets[0]}"]),
        publication=publication,
        address=publication.address(row.id),
        fragment=fragment,
        styles=[(_STATIC / name).read_text("utf-8") for name in ("gallery.css", "attention.css", "comparison.css")],
        imports=imports,
        start=_START,
        hashes=[_hash(imports), _hash(_START)],
        files={_HELD + name: base64.b64encode(content).decode() for name, content in files.items()},
    )
    return page.encode()


_ENTRY, _ATTENTION = "gallery.js", "attention.js"
_NO_ATTENTION = "export class GalleryAttention extends HTMLElement {}"
_IMPORT = re.compile(r'(\bfrom |\bimport )"\./([\w-]+\.js)"')
# Pictures become blobs first, since the grid of heads names its picture once a head; and where the reader's system is dark, so is the page.
_START = """if (matchMedia("(prefers-color-scheme: dark)").matches) document.body.dataset.mdColorScheme = "slate";
for (const picture of document.querySelectorAll("img[src^='data:']")) picture.src = URL.createObjectURL(await (await fetch(picture.src)).blob());
await import("gallery/gallery.js");"""


def _modules(attention: bool) -> dict[str, str]:
    """Return an import map: every module of the pages, by a bare name, as the address that holds its text.

    A module in a data address cannot import relative ones, so theirs become bare names too. The element for attention
    does nothing where there are no data for it.
    """
    found: dict[str, str] = {}
    waiting = [_ENTRY]
    while waiting:
        name = waiting.pop()
        if f"gallery/{name}" not in found:
            text = (_STATIC / name).read_text("utf-8") if attention or name != _ATTENTION else _NO_ATTENTION
            waiting += [other for _, other in _IMPORT.findall(text)]
            text = _IMPORT.sub(r'\1"gallery/\2"', text)
            found[f"gallery/{name}"] = "data:text/javascript;charset=utf-8," + quote(text, safe=" !$&'()*+,-./:;=?@[]^_`{|}~")
    return found


def _data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _hash(script: str) -> str:
    """Return the name of an inline script for a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
