"""The finished site: links that lead nowhere, other hosts, sizes, pages that are missing."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urljoin, urlsplit

import yaml
from mkdocs.utils.yaml import yaml_load

from gallery.config import Settings
from gallery.errors import SiteError
from gallery.files import store_location
from gallery.passages.read import passage_ids, passage_paths
from gallery.site.check.links import Found, Memory, other_host
from gallery.site.check.sizes import PAGE_BYTES, PAGES_BYTES, PUSH_BYTES, Sizes, advice, measure
from gallery.store.entries import Store
from gallery.store.manifest import read_header, read_rows
from gallery.units import megabytes

_HERE = "http://site.invalid"
_FOLLOWED = {"", "http", "https", "mailto", "tel"}


@dataclass(frozen=True)
class Report:
    """What was found; a site with errors should not be published."""

    errors: list[str]
    warnings: list[str]
    sizes: Sizes


def check_site(site: Path, site_url: str = "", budget_mb: int = 950, expected: Iterable[str] = (), memory: Path | None = None) -> Report:
    """Look through a site as it will be served at `site_url`; `expected` are the passages that must have a page.

    What stands in files that have not changed since is taken from the file `memory`, if one is named.

    Raises SiteError where there is no site.
    """
    if not (site / "index.html").is_file():
        raise SiteError(f"{site}: no site. Run: python build.py")
    with Memory(memory) as seen:
        links = _Links(site, site_url, seen)
        errors, warnings = list(links.problems()), []
    sizes = measure(site, links.files)
    for name in sorted(links.files):
        count = (site / name).stat().st_size
        if count > PUSH_BYTES:
            errors.append(f"{name}: {megabytes(count)}; GitHub takes no file over 100 MiB. Carry an excerpt: attention.tokens; or shorten the passage.")
        elif name.endswith(".html") and not name.startswith("data/") and count > PAGE_BYTES:
            warnings.append(f"{name}: a page of {megabytes(count)} is slow to open.")
    if sizes.bytes > min(budget_mb * 1_000_000, PAGES_BYTES):
        budget = min(budget_mb * 1_000_000, PAGES_BYTES)
        errors.append(
            f"the site takes {megabytes(sizes.bytes)}, over the {megabytes(budget)} of extra.gallery.site_budget_mb (GitHub Pages publishes 1 GB). "
            f"What would help: {'; '.join(advice(sizes, budget))}."
        )
    errors += [f"passages/{ident}/: missing. Run: python build.py" for ident in expected if f"passages/{ident}/index.html" not in links.files]
    if not site_url:
        warnings.append("mkdocs.yml: site_url is not set, so the page for wrong addresses and the list for search engines lack their links. Set it.")
    return Report(errors, warnings, sizes)


def check_built(settings: Settings, config_file: Path) -> Report:
    """Look through the site that lies beside a mkdocs.yml and must have a page for every passage of the store.

    Raises SiteError where there is no site, StoreError where there is no store.
    """
    store = Store(store_location(settings.store, config_file.parent))
    read_header(store)
    root, expected = config_file.parent, sorted(row.id for row in read_rows(store))
    return check_site(root / "site", _site_url(config_file), settings.site_budget_mb, expected, root / "build" / "links.sqlite")


def check_gallery(settings: Settings, config_file: Path) -> Report:
    """Do what `check_built` does, and name the passages that are not in the store."""
    report = check_built(settings, config_file)
    explained = {row.id for row in read_rows(Store(store_location(settings.store, config_file.parent)))}
    configured = passage_ids(passage_paths(settings), config_file.parent)
    missing = [f"{origin}: {ident}: not in the store. Run: python build.py explain" for ident, origin in configured if ident not in explained]
    return replace(report, errors=[*report.errors, *missing])


def _site_url(config_file: Path) -> str:
    try:
        with config_file.open("rb") as stream:
            return str((yaml_load(stream) or {}).get("site_url") or "")
    except (OSError, yaml.YAMLError) as error:
        raise SiteError(f"{config_file}: cannot be read: {error}") from error


class _Links:
    """All pages of a site, and what they point at."""

    def __init__(self, site: Path, site_url: str, seen: Memory) -> None:
        self.site = site
        self._seen = seen
        self.files: set[str] = set()
        self._linked: list[str] = []
        for path in sorted(site.rglob("*")):
            name = path.relative_to(site).as_posix()
            if path.is_symlink():
                self._linked.append(name)
            elif path.is_file():
                self.files.add(name)
        self._folders = {f"{folder}/" for name in self.files for folder in PurePosixPath(name).parents}
        self._own_host = urlsplit(site_url).netloc
        self._prefix = urlsplit(site_url).path.rstrip("/") + "/"
        self._found: dict[tuple[str, str], list[str]] = defaultdict(list)
        """(what is wrong, with which address) -> pages it stands on."""
        self._wanted: dict[str, dict[str, str]] = defaultdict(dict)
        """Page -> anchors that other pages name -> the first of those pages."""

    def problems(self) -> Iterable[str]:
        """Yield one line for everything wrong, and how many pages share it."""
        for name in sorted(self.files):
            self._read(name)
        for name, anchors in self._wanted.items():
            offered = self._seen.read(self.site, name)
            for anchor, page in anchors.items():
                if offered is None or anchor not in offered.anchors:
                    self._found["no such anchor", f"{name}#{anchor}"].append(page)
        yield from (f"{name}: a link in the file system; it would not be published." for name in self._linked)
        for (what, address), pages in sorted(self._found.items()):
            more = f" (and {len(pages) - 1} other files)" if len(pages) > 1 else ""
            yield f"{pages[0]}: {what}: {address}{more}"

    def _read(self, name: str) -> None:
        found = self._seen.read(self.site, name)
        if found is None:
            return
        for address in dict.fromkeys(found.resources):
            if address.startswith(("data:", "blob:")):
                continue
            if (host := other_host(address)) and host != self._own_host:
                self._found["loads from another host", address].append(name)
            else:
                self._follow(name, address, found)
        for address in dict.fromkeys(found.links):
            self._follow(name, address, found)

    def _follow(self, name: str, address: str, found: Found) -> None:
        here = _HERE + self._prefix + ("" if name == "index.html" else name.removesuffix("index.html") if name.endswith("/index.html") else name)
        try:
            parts = urlsplit(urljoin(here, address.strip()))
        except ValueError:
            self._found["not an address", address].append(name)
            return
        if urlsplit(address.strip()).scheme.lower() not in _FOLLOWED:
            self._found["an address that is not followed", address].append(name)
        elif parts.scheme in {"mailto", "tel"} or parts.netloc not in {urlsplit(_HERE).netloc, self._own_host}:
            return
        elif not (parts.path + "/").startswith(self._prefix):
            if parts.netloc != self._own_host or not self._own_host:
                self._found[f"leads out of {self._prefix}", address].append(name)
        else:
            self._arrive(name, address, unquote(parts.path[len(self._prefix) :]), unquote(parts.fragment), found)

    def _arrive(self, name: str, address: str, path: str, anchor: str, found: Found) -> None:
        target = next((file for file in (path, f"{path.rstrip('/')}/index.html".lstrip("/")) if file in self.files), None)
        if path in self._folders and path.startswith("data/"):
            return  # an element loads from this folder what it needs
        if target is None:
            self._found["broken link", address].append(name)
        elif not anchor or anchor == "top" or "=" in anchor or not target.endswith(".html"):
            return  # a fragment with = is the state of a page's own elements
        elif target == name:
            if anchor not in found.anchors:
                self._found["no such anchor", address].append(name)
        else:
            self._wanted[target].setdefault(anchor, name)
