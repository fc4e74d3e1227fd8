"""The one reader of mkdocs.yml: parses it by MkDocs' own YAML rules and checks the keys that the gallery uses; runs no plugin."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from mkdocs.exceptions import ConfigurationError
from mkdocs.utils.yaml import yaml_load

from gallery.errors import ConfigError, command, reason, short

NOT_YAML = (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""Exceptions of PyYAML for a text that is not YAML: impossible dates, numbers too long, endless nesting."""
_LONGEST_REASON = 500


@dataclass(frozen=True)
class MkDocsConfig:
    """The values of a mkdocs.yml that the gallery reads; texts are empty where the key is missing."""

    site_name: str
    site_author: str
    site_description: str
    site_url: str
    """With a slash at the end."""
    language: str
    """`theme.language`, Material's code; `en` where the key is missing."""
    docs_dir: Path
    """Folder of the documents that people write; `site_src` beside mkdocs.yml where the key is missing."""
    site_dir: Path
    """Folder of the finished site; `site` beside mkdocs.yml where the key is missing."""
    not_in_nav: str
    """Patterns of documents that the navigation leaves out on purpose."""
    nav: list[Any] | None
    """Items as written; None where MkDocs or the gallery chooses them."""
    gallery: dict[str, Any]
    """`extra.gallery` as written, not validated."""


def read_mkdocs_config(config_file: Path) -> MkDocsConfig:
    """Return the values of a mkdocs.yml, INHERIT and !ENV resolved.

    Raises ConfigError, naming the file and the key, where the file cannot be read, is not YAML, or a value has the wrong type.
    """
    document = _document(config_file)
    extra, theme = _mapping(config_file, document, "extra"), document.get("theme")
    url = _text(config_file, document, "site_url")
    return MkDocsConfig(
        site_name=_text(config_file, document, "site_name"),
        site_author=_text(config_file, document, "site_author"),
        site_description=_text(config_file, document, "site_description"),
        site_url=f"{url.rstrip('/')}/" if url else "",
        language=_text(config_file, theme, "theme.language") or "en" if isinstance(theme, dict) else "en",
        docs_dir=config_file.parent / (_text(config_file, document, "docs_dir") or "site_src"),
        site_dir=_site_dir(config_file, document),
        not_in_nav=_text(config_file, document, "not_in_nav"),
        nav=_nav(config_file, document.get("nav")),
        gallery=_mapping(config_file, extra, "extra.gallery"),
    )


def _document(config_file: Path) -> dict[str, Any]:
    try:
        with config_file.open("rb") as stream:
            document: Any = yaml_load(stream)
    except OSError as error:
        begin = f"name it with --config-file, or begin a gallery: {command('new FOLDER')}"
        raise ConfigError(f"{config_file}: {reason(error)}. Run {command()} in the folder of mkdocs.yml, {begin}") from error
    except ConfigurationError as error:
        what, _, why = str(error).partition(":")
        raise ConfigError(f"{config_file}: {f'not valid YAML: {short(why, _LONGEST_REASON)}' if why else short(what)}") from error
    except NOT_YAML as error:
        raise ConfigError(
            f"{config_file}: not valid YAML: {reason(error, _LONGEST_REASON)}. Put dates and numbers that are none into quotation marks."
        ) from error
    return _checked_mapping(config_file, document, "the file")


def _mapping(config_file: Path, values: dict[str, Any], dotted: str) -> dict[str, Any]:
    return _checked_mapping(config_file, values.get(dotted.rpartition(".")[2]), dotted)


def _checked_mapping(config_file: Path, value: Any, name: str) -> dict[str, Any]:
    value = value or {}
    if not isinstance(value, dict):
        raise ConfigError(f"{config_file}: {name} must be a list of keys and values, not {short(repr(value))}.")
    return value


def _text(config_file: Path, values: dict[str, Any], dotted: str) -> str:
    value = values.get(dotted.rpartition(".")[2])
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ConfigError(f"{config_file}: {dotted} must be a text, not {short(repr(value))}. Put it into quotation marks.")
    return value


def _site_dir(config_file: Path, document: dict[str, Any]) -> Path:
    """Return the folder of the site, which each build replaces as a whole: so nothing else may lie in it."""
    root, name = config_file.parent.absolute(), _text(config_file, document, "site_dir") or "site"
    folder = Path(os.path.normpath(root / name))
    docs = Path(os.path.normpath(root / (_text(config_file, document, "docs_dir") or "site_src")))
    if root.is_relative_to(docs):
        raise ConfigError(f"{config_file}: docs_dir is {docs}, which holds mkdocs.yml and all that is built. Name a folder of its own, such as site_src.")
    if root.is_relative_to(folder) or folder.is_relative_to(docs) or docs.is_relative_to(folder) or folder == root / "build":
        raise ConfigError(
            f"{config_file}: site_dir is {name!r}, but each build replaces that folder, so it may not hold mkdocs.yml, docs_dir or build/. "
            "Name a folder of its own, such as site."
        )
    return config_file.parent / name


def _nav(config_file: Path, value: Any) -> list[Any] | None:
    if not value:
        return None
    if not isinstance(value, list):
        raise ConfigError(f"{config_file}: nav must be a list of pages, not {short(repr(value))}. Correct it, or remove it for the gallery's own.")
    return value
