"""The shells: MkDocs renders one document for each kind of page, and the documents that people write, into build/shells."""

import logging
import os
import shutil
from pathlib import Path
from typing import Any

from mkdocs.commands.build import build as mkdocs_build
from mkdocs.config import load_config
from mkdocs.exceptions import MkDocsException

from gallery.compat.mkdocs import add_module_script, add_theme_folder
from gallery.errors import SiteError
from gallery.mkdocs_config import read_mkdocs_config
from gallery.site.build.minify_html import minify
from gallery.site.language import language
from gallery.site.pages.declared import declarations, documents
from gallery.site.policy import protect

_PACKAGE = Path(__file__).parents[2]
_STYLES = ("gallery", "attention", "comparison", "authors", "methods")


def build_shells(config_file: Path, code: str) -> str:
    """Render the shells into build/shells, minified and with their policy; return the site's address as MkDocs spells it.

    Raises SiteError where MkDocs fails.
    """
    root = config_file.parent
    _write_docs(code, root)
    config = _mkdocs_config(config_file, code)
    try:
        mkdocs_build(config)
    except MkDocsException as error:
        raise SiteError(f"MkDocs: {error}") from error
    minify(root / "build" / "shells")
    protect(root / "build" / "shells")
    return config["site_url"] or ""


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


def _mkdocs_config(config_file: Path, code: str) -> Any:
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
            nav=_navigation(config_file, build / "docs", code),
            not_in_nav="shell.md\nscale.md",
        )
    except MkDocsException as error:
        raise SiteError(f"{config_file}: {error}") from error
    add_theme_folder(config, _PACKAGE / "theme")
    config["extra_css"] += [f"assets/gallery/{name}.css" for name in _STYLES]
    add_module_script(config, "assets/gallery/gallery.js")
    return config


def _navigation(config_file: Path, docs: Path, code: str) -> list[Any]:
    """Return the navigation of mkdocs.yml, or of the declared pages; without items whose document does not exist."""
    gettext = language(code).gettext
    own = read_mkdocs_config(config_file).nav
    nav = own or [{declared.nav(gettext): declared.documents[0].name} for declared in declarations() if declared.nav]
    return [item for item in nav if not isinstance(item, dict) or any(not isinstance(name, str) or (docs / name).exists() for name in item.values())]


def _write_docs(code: str, root: Path) -> None:
    """Write build/docs: the documents of site_src/ in the interface's language, the declared ones, and the static files."""
    docs, source = root / "build" / "docs", root / "site_src"
    if docs.exists():
        shutil.rmtree(docs)
    docs.mkdir(parents=True)
    for path in sorted(source.glob("*.md")):
        name, _, other = path.stem.partition(".")
        translated = source / f"{name}.{code}.md"
        if not other:
            shutil.copyfile(translated if translated.exists() else path, docs / path.name)
    for document in documents():
        path = docs / document.name
        if document.slots and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(document.text(language(code).gettext), "utf-8")
    shutil.copytree(_PACKAGE / "static", docs / "assets" / "gallery")
