"""The report on a finished site: broken links, other hosts, sizes, missing pages."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urljoin, urlsplit

from gallery.config import Settings
from gallery.errors import PassageError, SiteError, command
from gallery.files import store_location
from gallery.mkdocs_config import read_mkdocs_config
from gallery.passages.problems import Problems
from gallery.passages.read import passage_ids, passage_paths
from gallery.site.check.links import LinkCache, PageLinks, other_host
from gallery.site.check.sizes import PAGE_BYTES, PAGES_BYTES, PUSH_BYTES, Sizes, advice, measure
from gallery.site.pages.declared import required_addresses
from gallery.store.entries import Store
from gallery.store.manifest import read_header, read_rows
from gallery.units import megabytes

_HERE = "http://site.invalid"
_OTHER_HOST = "loads from another host"
_FONTS = "; the theme loads its fonts there: set theme.font: false in mkdocs.yml, and readers see the fonts of their own system"
_CURES = {"fonts.googleapis.com": _FONTS, "fonts.gstatic.com": _FONTS}
"""Host -> what to do about pages that load something from it."""
_FOLLOWED = {"", "http", "https", "mailto", "tel"}


@dataclass(frozen=True)
class Report:
    """Errors, warnings and sizes of a site; a site with errors should not be published."""

    errors: list[str]
    warnings: list[str]
    sizes: Sizes


def check_site(site: Path, site_url: str = "", budget_mb: int = 950, expected: Iterable[str] = (), cache: Path | None = None) -> Report:
    """Return the report on a site that is to be served at `site_url`; `expected` are the addresses that must have a page.

    The links of files that have not changed are taken from the file `cache`, where a path is given.
    Raises SiteError where there is no site.
    """
    if not (site / "index.html").is_file():
        raise SiteError(f"{site}: no site. Run: {command()}")
    with LinkCache(cache) as known:
        links = _Links(site, site_url, known)
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
    errors += [f"{address}: missing. Run: {command()}" for address in expected if f"{address}index.html" not in links.files]
    if not site_url:
        warnings.append("mkdocs.yml: site_url is not set, so the page for wrong addresses and the list for search engines lack their links. Set it.")
    return Report(errors, warnings, sizes)


def check_built(settings: Settings, config_file: Path) -> Report:
    """Return the report on the site beside a mkdocs.yml, which must have every declared page and one for each passage of the store.

    Raises ConfigError where mkdocs.yml cannot be read, SiteError where there is no site, StoreError where there is no store.
    """
    store = Store(store_location(settings.store, config_file.parent))
    read_header(store)
    root, config = config_file.parent, read_mkdocs_config(config_file)
    expected = [*required_addresses(), *(f"passages/{ident}/" for ident in sorted(row.id for row in read_rows(store)))]
    return check_site(config.site_dir, config.site_url, settings.site_budget_mb, expected, root / "build" / "links.sqlite")


def check_gallery(settings: Settings, config_file: Path) -> Report:
    """Return the report of `check_built`, with errors for passages that are not readable or not explained, and for an unfinished build.

    With the setting `incomplete`, these are warnings.
    """
    report = check_built(settings, config_file)
    store, problems = Store(store_location(settings.store, config_file.parent)), Problems()
    explained = {row.id for row in read_rows(store)}
    for found in passage_ids(passage_paths(settings), config_file.parent):
        if isinstance(found, PassageError):
            problems.add(found)
        elif found[0] not in explained:
            ident, origin = found
            problems.add(PassageError(f"{origin}: {ident}: not in the store. Run: {command('explain')}", origin, "not in the store"))
    header = read_header(store)
    messages = list(dict.fromkeys([*header.problems, *problems.messages()]))
    if header.unfinished:
        early = f"not everything is computed yet: {', '.join(header.unfinished)}. Run: {command()}"
        report = replace(report, errors=[*report.errors, early])
    if settings.incomplete:
        return replace(report, warnings=[*report.warnings, *messages])
    return replace(report, errors=[*report.errors, *messages])


class _Links:
    """All files of a site, and their links."""

    def __init__(self, site: Path, site_url: str, cache: LinkCache) -> None:
        self.site = site
        self._cache = cache
        self.files: set[str] = set()
        self._symlinks: list[str] = []
        for path in sorted(site.rglob("*")):
            name = path.relative_to(site).as_posix()
            if path.is_symlink():
                self._symlinks.append(name)
            elif path.is_file():
                self.files.add(name)
        self._folders = {f"{folder}/" for name in self.files for folder in PurePosixPath(name).parents}
        self._own_host = urlsplit(site_url).netloc
        self._prefix = urlsplit(site_url).path.rstrip("/") + "/"
        self._faults: dict[tuple[str, str], list[str]] = defaultdict(list)
        """(fault, address) -> files that have the address."""
        self._wanted: dict[str, dict[str, str]] = defaultdict(dict)
        """Page -> anchors that other pages link to -> the first of those pages."""

    def problems(self) -> Iterable[str]:
        """Yield one line for each fault, with the number of files that share it."""
        for name in sorted(self.files):
            self._read(name)
        for name, anchors in self._wanted.items():
            offered = self._cache.read(self.site, name)
            for anchor, page in anchors.items():
                if offered is None or anchor not in offered.anchors:
                    self._faults["no such anchor", f"{name}#{anchor}"].append(page)
        yield from (f"{name}: a link in the file system; it would not be published." for name in self._symlinks)
        for (fault, address), pages in sorted(self._faults.items()):
            more = f" (and {len(pages) - 1} other files)" if len(pages) > 1 else ""
            yield f"{pages[0]}: {fault}: {address}{more}{_CURES.get(other_host(address) or '', '') if fault == _OTHER_HOST else ''}"

    def _read(self, name: str) -> None:
        page = self._cache.read(self.site, name)
        if page is None:
            return
        for address in dict.fromkeys(page.resources):
            if address.startswith(("data:", "blob:")):
                continue
            if (host := other_host(address)) and host != self._own_host:
                self._faults[_OTHER_HOST, address].append(name)
            else:
                self._follow(name, address, page)
        for address in dict.fromkeys(page.links):
            self._follow(name, address, page)

    def _follow(self, name: str, address: str, page: PageLinks) -> None:
        here = _HERE + self._prefix + ("" if name == "index.html" else name.removesuffix("index.html") if name.endswith("/index.html") else name)
        try:
            parts = urlsplit(urljoin(here, address.strip()))
        except ValueError:
            self._faults["not an address", address].append(name)
            return
        if urlsplit(address.strip()).scheme.lower() not in _FOLLOWED:
            self._faults["an address that is not followed", address].append(name)
        elif parts.scheme in {"mailto", "tel"} or parts.netloc not in {urlsplit(_HERE).netloc, self._own_host}:
            return
        elif not (parts.path + "/").startswith(self._prefix):
            if parts.netloc != self._own_host or not self._own_host:
                self._faults[f"leads out of {self._prefix}", address].append(name)
        else:
            self._arrive(name, address, unquote(parts.path[len(self._prefix) :]), unquote(parts.fragment), page)

    def _arrive(self, name: str, address: str, path: str, anchor: str, page: PageLinks) -> None:
        target = next((file for file in (path, f"{path.rstrip('/')}/index.html".lstrip("/")) if file in self.files), None)
        if path in self._folders and path.startswith("data/"):
            return  # an element loads its files from this folder
        if target is None:
            self._faults["broken link", address].append(name)
        elif not anchor or anchor == "top" or "=" in anchor or not target.endswith(".html"):
            return  # a fragment with = is the state of the page's own elements
        elif target == name:
            if anchor not in page.anchors:
                self._faults["no such anchor", address].append(name)
        else:
            self._wanted[target].setdefault(anchor, name)
