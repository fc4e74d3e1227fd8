"""The shells: MkDocs renders one document for each kind of page, and the documents that people write, into build/shells."""

import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mkdocs.commands.build import build as mkdocs_build
from mkdocs.config import load_config
from mkdocs.exceptions import MkDocsException

from gallery.compat.mkdocs import add_module_script, on_event
from gallery.config import Settings
from gallery.errors import SiteError, short
from gallery.mkdocs_config import MkDocsConfig, read_mkdocs_config
from gallery.passages.read import passage_paths
from gallery.site.build.documents import Origins, write_documents
from gallery.site.build.file_links import name_files
from gallery.site.build.link_preview import add_previews
from gallery.site.build.minify_html import minify
from gallery.site.language import language
from gallery.site.pages.declared import declarations, documents
from gallery.site.policy import protect

_STYLES = ("gallery", "attention", "comparison", "authors", "methods", "erasing")


@dataclass(frozen=True)
class Shells:
    """What MkDocs was told of the site."""

    site_url: str
    """The site's address as MkDocs spells it; empty where it is unknown."""
    named: bool
    """Whether links name the file index.html, for a site that is read without a server: `use_directory_urls: false`."""


def build_shells(settings: Settings, config_file: Path, code: str) -> Shells:
    """Render the shells into build/shells, minified, with previews for shared links and their policy.

    Raises SiteError where MkDocs fails or the theme is not Material.
    """
    root, own = config_file.parent, read_mkdocs_config(config_file)
    origins = write_documents(root / "build" / "docs", own.docs_dir, code, [root / name for name in passage_paths(settings)])
    config = _mkdocs_config(config_file, own, code, origins)
    named = _keep_addresses(config)
    try:
        mkdocs_build(config)
    except MkDocsException as error:
        raise SiteError(f"MkDocs: {error}") from error
    shells, site_url = root / "build" / "shells", config["site_url"] or ""
    if named:
        for path in sorted(shells.rglob("*.html")):
            path.write_text(name_files(path.read_text("utf-8")), "utf-8")
    add_previews(shells, site_url, own.site_name)
    minify(shells)
    protect(shells)
    return Shells(site_url, bool(named))


def copy_shells(shells: Path, out: Path) -> None:
    """Copy the shells into an empty folder of the new site, without those that many pages share."""
    if out.exists():
        shutil.rmtree(out)
    shutil.copytree(shells, out)
    for folder in shared_folders():
        shutil.rmtree(out / folder)


def shared_folders() -> tuple[str, ...]:
    """Return the folders of the shells that many pages share, each with a slash at the end."""
    return tuple(dict.fromkeys(document.shell_folder for document in documents() if document.shared))


def _mkdocs_config(config_file: Path, own: MkDocsConfig, code: str, origins: Origins) -> Any:
    """Return the user's MkDocs configuration, with the documents, navigation, theme and scripts of the gallery."""
    os.environ["NO_MKDOCS_2_WARNING"] = "1"
    os.environ.setdefault("SOURCE_DATE_EPOCH", "0")
    logging.getLogger("mkdocs").setLevel(logging.WARNING)
    build = (config_file.parent / "build").absolute()
    try:
        config = load_config(
            str(config_file),
            docs_dir=str(build / "docs"),
            site_dir=str(build / "shells"),
            nav=_navigation(config_file, own, code, origins),
            not_in_nav="\n".join(["shell.md", "scale.md", "reliability.md", own.not_in_nav]),
        )
    except MkDocsException as error:
        raise SiteError(f"{config_file}: {error}") from error
    if config["theme"].name != "material":
        raise SiteError(f"{config_file}: theme is {short(repr(config['theme'].name))}; the pages are made for Material. Write theme: {{name: material}}.")
    config["extra_css"] += [f"assets/gallery/{name}.css" for name in _STYLES]
    config["markdown_extensions"] += [name for name in ("attr_list", "tables") if name not in config["markdown_extensions"]]  # our documents use them
    add_module_script(config, "assets/gallery/gallery.js")
    on_event(config, "page_markdown", lambda markdown, page, **_: _set_edit_link(page, origins))
    return config


def _keep_addresses(config: Any) -> list[str]:
    """Let every page keep its folder whatever `use_directory_urls` is; return the options that ask for links to files, in a list that fills later.

    The plugin `offline` sets `use_directory_urls` while MkDocs builds, and loads a script from another host for the search of a site on
    a disk, unless `privacy` fetches it.
    """
    asking = [] if config["use_directory_urls"] else ["use_directory_urls"]
    config["use_directory_urls"] = True

    def after_plugins(later: Any) -> None:
        if not later["use_directory_urls"]:
            asking.append("offline")
            later["use_directory_urls"] = True
        if "material/privacy" not in later["plugins"] and later["extra"].get("polyfills"):
            later["extra"]["polyfills"] = [script for script in later["extra"]["polyfills"] if "://unpkg.com/iframe-worker" not in str(script)]

    on_event(config, "config", after_plugins)
    return asking


def _set_edit_link(page: Any, origins: Origins) -> None:
    """Let a page's edit button lead to the file that the user wrote, and leave it out where there is none."""
    name = page.file.src_uri
    origin = origins.get(name)
    if page.edit_url and name in origins and origin != name:
        page.edit_url = None if origin is None else page.edit_url.removesuffix(name) + origin


def _navigation(config_file: Path, own: MkDocsConfig, code: str, origins: Origins) -> list[Any]:
    """Return the navigation of mkdocs.yml; without one, the declared pages and after them those that only the user has.

    Raises SiteError, naming the page, where mkdocs.yml lists one that does not exist.
    """
    gettext = language(code).gettext
    if own.nav:
        for name in _listed(own.nav):
            if name.endswith(".md") and "://" not in name and name not in origins:
                raise SiteError(f"{config_file}: nav: {name}: no such page in {own.docs_dir}. Correct the name, or write the page.")
        return own.nav
    declared = [{declared.nav(gettext): declared.documents[0].name} for declared in declarations() if declared.nav]
    known = {document.name for document in documents()}
    more: dict[str, Any] = {}
    for name in sorted(name for name, origin in origins.items() if origin is not None and name not in known and name != "README.md"):
        *folders, last = name.split("/")
        place = more
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = name
    return [*declared, *_section(more)]


def _section(pages: dict[str, Any]) -> list[Any]:
    """Return pages by folder as MkDocs' navigation has them."""
    return [{name.replace("-", " ").replace("_", " ").capitalize(): _section(page)} if isinstance(page, dict) else page for name, page in pages.items()]


def _listed(nav: Any) -> Iterator[str]:
    """Yield every page and address of a navigation, however deep."""
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, (list, dict)):
        for item in nav.values() if isinstance(nav, dict) else nav:
            yield from _listed(item)
