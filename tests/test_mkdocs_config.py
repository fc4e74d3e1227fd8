"""The one reader of mkdocs.yml: its values, and a message for each way in which they can be wrong."""

from pathlib import Path

import pytest

from gallery.config import load_settings
from gallery.errors import ConfigError
from gallery.mkdocs_config import read_mkdocs_config


def _write(folder: Path, text: str) -> Path:
    path = folder / "mkdocs.yml"
    path.write_text(text, "utf-8")
    return path


def test_the_values_are_those_that_are_written(tmp_path: Path) -> None:
    (tmp_path / "base.yml").write_text("site_author: Ann\nextra: {gallery: {store: a}}\n", "utf-8")
    config = read_mkdocs_config(
        _write(
            tmp_path,
            "INHERIT: base.yml\nsite_name: Галерея\nsite_url: https://example.org/g\ntheme: {name: material, language: ru}\n"
            "nav: [index.md]\nextra: {gallery: {device: cpu}}\nmarkdown_extensions:\n  - a: !!python/name:len\n",
        )
    )
    assert (config.site_name, config.site_author, config.site_description) == ("Галерея", "Ann", "")
    assert (config.site_url, config.language, config.nav) == ("https://example.org/g/", "ru", ["index.md"])
    assert config.gallery == {"store": "a", "device": "cpu"}


def test_an_empty_file_is_a_gallery_of_defaults(tmp_path: Path) -> None:
    config = read_mkdocs_config(_write(tmp_path, ""))
    assert (config.site_name, config.site_url, config.language, config.nav, config.gallery) == ("", "", "en", None, {})
    assert read_mkdocs_config(_write(tmp_path, "theme: material\nsite_url:\nextra:\n")).language == "en"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]\n- a", "not valid YAML"),
        ("- a", "the file must be a list of keys and values, not ['a']"),
        ("extra: 7", "extra must be a list of keys and values, not 7"),
        ("extra: {gallery: [a]}", "extra.gallery must be a list of keys and values, not ['a']"),
        ("site_url: [a]", "site_url must be a text, not ['a']"),
        ("site_name: 2024", "site_name must be a text, not 2024. Put it into quotation marks."),
        ("theme: {language: no}", "theme.language must be a text, not False. Put it into quotation marks."),
        ("nav: index.md", "nav must be a list of pages, not 'index.md'"),
        ("a: 2024-13-99", "Put dates and numbers that are none into quotation marks"),
        ("INHERIT: none.yml", "Inherited config file 'none.yml' does not exist"),
    ],
)
def test_each_fault_names_file_and_key_to_every_reader(tmp_path: Path, text: str, message: str) -> None:
    path = _write(tmp_path, text)
    for read in (read_mkdocs_config, load_settings):
        with pytest.raises(ConfigError) as raised:
            read(path)
        assert raised.value.format_message().startswith(f"{path}: ")
        assert message in raised.value.format_message()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"mkdocs\.yml: No such file.*--config-file"):
        read_mkdocs_config(tmp_path / "mkdocs.yml")
