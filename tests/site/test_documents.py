"""A gallery's documents and mkdocs.yml: what people know of MkDocs and Material holds here too."""

import re
import shutil
from pathlib import Path

import pytest

from gallery.errors import ConfigError
from gallery.mkdocs_config import read_mkdocs_config
from gallery.site.build.file_links import name_file, name_files
from gallery.site.html_reader import read_tags
from tests.support.galleries import contents, run


@pytest.fixture
def own(explained: Path, tmp_path: Path) -> Path:
    """Give a copy of the explained gallery without any document of its own."""
    config = shutil.copytree(explained.parent, tmp_path / "own") / explained.name
    for path in (config.parent / "site_src").glob("*.md"):
        path.unlink()
    return config


def _configure(config: Path, lines: str, drop: str = "") -> None:
    text = config.read_text("utf-8")
    assert drop in text
    config.write_text(f"{lines}\n{text.replace(drop, '')}", "utf-8")


def _page(config: Path, address: str = "", site: str = "site") -> str:
    return (config.parent / site / address / "index.html").read_text("utf-8")


def _links(page: str) -> list[str]:
    return [tag.attributes()["href"] or "" for tag in read_tags(page) if tag.name == "a" and "href" in tag.attributes()]


def test_a_folder_with_nothing_but_passages_becomes_a_whole_site_in_its_language(own: Path) -> None:
    result = run(own, "render")
    assert result.exit_code == 0, result.output
    assert "Какие слова заставили модель назвать автора" in _page(own)
    assert "Как читать галерею" in _page(own, "how-to-read")
    assert all((own.parent / "site" / name / "index.html").is_file() for name in ("methods", "reliability", "scale"))
    own.write_text(own.read_text("utf-8").replace("language: ru", "language: en"), "utf-8")
    (own.parent / "site_src" / "how-to-read.md").write_text("# My own words\n\n## Attention {#attention}\n", "utf-8")
    result = run(own, "render")
    assert result.exit_code == 0, result.output
    assert "Which words made the model name an author" in _page(own)
    assert "My own words" in _page(own, "how-to-read"), "the user's file takes the place of the package's"


def test_mkdocs_yml_means_what_it_means_to_mkdocs(own: Path) -> None:
    """One gallery with a navigation, templates, folders and edit buttons of its own."""
    docs, overrides = own.parent / "docs", own.parent / "overrides"
    (docs / "guide").mkdir(parents=True)
    overrides.mkdir()
    (docs / "guide" / "start.md").write_text("# Start\n\n![logo](../logo.svg)\n", "utf-8")
    (docs / "logo.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>', "utf-8")
    (docs / "about.md").write_text("# Team\n", "utf-8")
    (overrides / "main.html").write_text('{% extends "base.html" %}{% block announce %}We moved{% endblock %}', "utf-8")
    nav = (
        "nav:\n  - Home: index.md\n  - Authors: authors/index.md\n  - Code: https://github.com/example/x\n"
        "  - About:\n      - Team: about.md\n      - Paper: https://example.org/paper\n  - compare.md\n  - Sub: guide/start.md\n"
    )
    lines = f"docs_dir: docs\nsite_dir: public\nrepo_url: https://github.com/example/x\nedit_uri: edit/main/docs/\n{nav}"
    _configure(own, lines)
    config = own.read_text("utf-8").replace("features: [", "custom_dir: overrides\n  features: [content.action.edit, ")
    own.write_text(config, "utf-8")
    result = run(own, "render")
    assert result.exit_code == 0, result.output
    assert not (own.parent / "site").exists()
    front = _page(own, site="public")
    links = _links(front)
    assert {"https://github.com/example/x", "https://example.org/paper", "guide/start/", "about/", "compare/"} <= set(links)
    assert (own.parent / "public" / "logo.svg").is_file()
    passage = _page(own, "passages/white-wall", site="public")
    assert "We moved" in passage, "the user's template"
    assert '<meta property="og:title" content="Белая стена">' in passage, "and the gallery's cards"
    assert 'content="https://example.org/gallery/passages/white-wall/card.png"' in passage
    assert "https://github.com/example/x/edit/main/docs/about.md" in _links(_page(own, "about", site="public"))
    for address in ("compare", "passages/white-wall", "how-to-read"):
        assert not [link for link in _links(_page(own, address, site="public")) if "/edit/" in link], "no file of the user's to edit"
    assert run(own, "check").exit_code == 0

    own.write_text(own.read_text("utf-8").replace("guide/start.md", "guide/begin.md"), "utf-8")
    before = contents(own.parent / "public")
    wrong = run(own, "render")
    assert wrong.exit_code == 1
    assert "nav: guide/begin.md: no such page in" in wrong.output
    assert contents(own.parent / "public") == before


def test_pages_that_only_the_user_has_are_in_the_navigation_without_being_listed(own: Path) -> None:
    (own.parent / "site_src" / "the-guide").mkdir()
    (own.parent / "site_src" / "the-guide" / "first-steps.md").write_text("# First steps\n", "utf-8")
    assert run(own, "render").exit_code == 0
    assert "the-guide/first-steps/" in _links(_page(own))


@pytest.mark.parametrize(("lines", "scripts"), [("use_directory_urls: false", 0), ("plugins: [search, offline]", 1)])
def test_a_site_for_a_disk_names_its_files_and_keeps_its_addresses(own: Path, lines: str, scripts: int) -> None:
    _configure(own, lines)
    result = run(own, "render")
    assert result.exit_code == 0, result.output
    site = own.parent / "site"
    for address in ("", "how-to-read", "passages/white-wall", "authors", "authors/chekhov", "compare"):
        for link in _links(_page(own, address)):
            path = link.partition("#")[0].partition("?")[0]
            if path and ":" not in path:
                assert (site / address / path).resolve().is_file(), f"{address}: {link}"
    assert len(list(site.rglob("search_index.js"))) == scripts
    index = (site / "search" / ("search_index.js" if scripts else "search_index.json")).read_text("utf-8")
    assert "passages/white-wall/index.html" in index
    assert "unpkg.com" not in _page(own)


@pytest.mark.parametrize(
    ("address", "named"),
    [("../", "../index.html"), ("..", "../index.html"), ("./", "./index.html"), ("a/?b=1#c", "a/index.html?b=1#c"), ("/g/", "/g/index.html")],
)
def test_addresses_of_folders_name_their_file(address: str, named: str) -> None:
    assert name_file(address) == named
    assert name_files(f'<a class="x" href="{address}">') == f'<a class="x" href="{named}">'


@pytest.mark.parametrize("address", ["", "#top", "?a=1", "a.css", "a/b.html", "https://example.org/", "//example.org/", "mailto:a@example.org"])
def test_other_addresses_stay(address: str) -> None:
    assert name_file(address) == address
    assert name_files(f'<a href="{address}">') == f'<a href="{address}">'


@pytest.mark.parametrize("folder", [".", "..", "site_src", "site_src/site", "build"])
def test_a_site_never_replaces_what_it_is_made_of(tmp_path: Path, folder: str) -> None:
    (tmp_path / "mkdocs.yml").write_text(f"site_name: x\nsite_dir: {folder}\n", "utf-8")
    with pytest.raises(ConfigError, match=r"site_dir is .*Name a folder of its own"):
        read_mkdocs_config(tmp_path / "mkdocs.yml")


def test_a_theme_that_the_pages_are_not_made_for_is_named(own: Path) -> None:
    own.write_text(re.sub(r"theme:\n(  .*\n)+", "theme: mkdocs\n", own.read_text("utf-8")), "utf-8")
    result = run(own, "render")
    assert result.exit_code == 1
    assert "theme is 'mkdocs'; the pages are made for Material" in result.output


def test_fonts_from_another_host_come_with_their_cure(own: Path) -> None:
    own.write_text(own.read_text("utf-8").replace("  font: false\n", ""), "utf-8")
    result = run(own, "render")
    assert result.exit_code == 1
    assert "loads from another host: https://fonts.g" in result.output
    assert "theme.font: false" in result.output
