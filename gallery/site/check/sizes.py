"""The sizes of a site by kind of file, and the settings that would make it smaller."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gallery.units import megabytes

PAGES_BYTES = 1_000_000_000
"""GitHub Pages publishes no site larger than 1 GB."""
PUSH_BYTES = 100 << 20
"""git push to GitHub refuses a file larger than 100 MiB."""
PAGE_BYTES = 5_000_000
"""A larger page is slow to open on a phone."""

_PICTURES = {".png", ".svg", ".webp", ".jpg", ".jpeg", ".gif", ".ico", ".avif"}
_PLAIN = re.compile(r"data/[^/]+/(?:explanation\.json|words\.csv|shaded\.svg)")
_LAYER = re.compile(r"data/[^/]+/attention/layer-(\d+)\.bin")

FILE_KINDS: dict[str, Callable[[PurePosixPath], bool]] = {
    "attention": lambda path: path.match("data/*/attention/*") and path.suffix not in _PICTURES,
    "bertviz": lambda path: path.match("data/*/*_view.html"),
    "pictures": lambda path: path.suffix in _PICTURES,
    "downloads": lambda path: path.parts[0] == "data",
    "pages": lambda path: path.suffix == ".html",
    "search": lambda path: path.parts[0] == "search",
    "theme": lambda path: path.parts[0] == "assets",
    "other": lambda path: True,
}
"""Kind -> whether a path of the site belongs to it; the first kind that matches counts."""


@dataclass(frozen=True)
class Size:
    """Files, bytes and the largest file of one kind."""

    files: int = 0
    bytes: int = 0
    largest: int = 0


@dataclass(frozen=True)
class Sizes:
    """The sizes of a site."""

    kinds: dict[str, Size]
    layers: dict[int, int]
    """Bytes of attention by layer."""
    plain: int = 0
    """Bytes of downloads that could be packed."""

    @property
    def bytes(self) -> int:
        """Bytes of the whole site."""
        return sum(size.bytes for size in self.kinds.values())

    @property
    def files(self) -> int:
        """Number of files."""
        return sum(size.files for size in self.kinds.values())


def measure(site: Path, files: Iterable[str]) -> Sizes:
    """Return the sizes of a site's files, given by their paths within it."""
    kinds = dict.fromkeys(FILE_KINDS, Size())
    layers: dict[int, int] = {}
    plain = 0
    for name in files:
        count = (site / name).stat().st_size
        path = PurePosixPath(name)
        kind = next(kind for kind, matches in FILE_KINDS.items() if matches(path))
        old = kinds[kind]
        kinds[kind] = Size(old.files + 1, old.bytes + count, max(old.largest, count))
        if layer := _LAYER.fullmatch(name):
            layers[int(layer[1])] = layers.get(int(layer[1]), 0) + count
        if _PLAIN.fullmatch(name):
            plain += count
    return Sizes(kinds, dict(sorted(layers.items())), plain)


def layers_that_fit(sizes: Sizes, budget: int) -> tuple[int, ...]:
    """Return the layers, evenly spread and numbered from 1, whose attention fits a site within a budget in bytes."""
    rest = sizes.bytes - sum(sizes.layers.values())
    choices = (evenly(tuple(sizes.layers), count) for count in range(len(sizes.layers), 0, -1))
    fitting = (layers for layers in choices if rest + sum(sizes.layers[layer] for layer in layers) <= budget)
    return tuple(layer + 1 for layer in next(fitting, ()))


def evenly(layers: tuple[int, ...], count: int) -> tuple[int, ...]:
    """Return `count` of the layers at even distances, from the first to the last; a single layer is the middle."""
    last = len(layers) - 1
    return tuple(layers[round(number * last / (count - 1)) if count > 1 else last // 2] for number in range(count))


def advice(sizes: Sizes, budget: int) -> list[str]:
    """Return the settings that would make a site smaller, each with the bytes it saves."""
    attention, bertviz = sum(sizes.layers.values()), sizes.kinds["bertviz"].bytes
    everything = sizes.kinds["attention"].bytes
    lines = []
    if attention or bertviz:
        lines.append("attention.fit: true chooses among these for you")
    elif sizes.plain:
        lines.append(f"attention.fit: true packs the downloads, now {megabytes(sizes.plain)}, and if need be leaves out the cards of passages")
    if attention:
        kept, each = layers_that_fit(sizes, budget), attention // len(sizes.layers)
        enough = f"; {len(kept)} of {len(sizes.layers)} would fit, such as {list(kept)}" if kept else ""
        lines.append(f"attention.layers, a list of fewer layers: {megabytes(each)} less for each{enough}")
        lines.append(f"attention.tokens, an excerpt of half the length: about {megabytes(attention // 2)} less")
        lines.append(f"attention.layers: mean, no single heads: {megabytes(attention)} less")
    if everything:
        lines.append(f"attention.layers: none, the picture of all heads alone: {megabytes(everything)} less")
    if bertviz:
        lines.append(f"bertviz_tokens: 0: {megabytes(bertviz)} less")
    passages = everything + bertviz + sizes.kinds["downloads"].bytes + sizes.kinds["pages"].bytes
    lines.append(f"fewer passages: they take {megabytes(passages)} in all")
    return lines


def table(sizes: Sizes) -> str:
    """Return the sizes as lines of text, the largest kind first."""
    rows = sorted(((size.bytes, kind, size) for kind, size in sizes.kinds.items() if size.files), reverse=True)
    lines = [f"{'kind':<10} {'files':>8} {'size':>12} {'largest':>12}"]
    lines += [f"{kind:<10} {size.files:>8,} {megabytes(size.bytes):>12} {megabytes(size.largest):>12}" for _, kind, size in rows]
    return "\n".join([*lines, f"{'all':<10} {sizes.files:>8,} {megabytes(sizes.bytes):>12}"])
