"""Small real galleries for tests: a folder with mkdocs.yml, passages and a tiny classifier."""

from dataclasses import replace
from pathlib import Path

from click.testing import CliRunner, Result

from gallery.cli import main
from gallery.store.entries import Store
from gallery.store.manifest import read_header, read_rows, write_manifest

TEXTS = {
    "white-wall": ("Чехов", "Белая стена", "Свой человек пришёл домой поздно, и никто его не ждал.\n\n— Кто там? — спросили из-за двери."),
    "old-yorick": ("Толстой", "Старый Йорик", "В тихой усадьбе, за рекой, жил ёж Йорик; он вошёл, поклонился и сел у окна."),
    "dusty-road": ("Гоголь", "Пыльная дорога", "«Что же это такое?» — спросила она. Никто не ответил: дорога была пуста."),
}


def make_gallery(folder: Path, model: Path, language: str = "ru", settings: str = "") -> Path:
    """Write a gallery of three passages; return its mkdocs.yml."""
    source = folder / "site_src" / "passages"
    source.mkdir(parents=True)
    for ident, (author, title, text) in TEXTS.items():
        (source / f"{ident}.md").write_text(f"---\nid: {ident}\ntrue_class: {author}\ntitle: {title}\nnote: Написано для проверки.\n---\n{text}\n", "utf-8")
    (folder / "site_src" / "index.md").write_text("# Проверка\n\n<!-- gallery:index -->\n", "utf-8")
    (folder / "site_src" / "how-to-read.md").write_text("# Как читать\n\n## Внимание {#attention}\n\nТекст.\n", "utf-8")
    config = folder / "mkdocs.yml"
    config.write_text(
        f"site_name: Проверка\nsite_url: https://example.org/gallery/\n"
        f"theme:\n  name: material\n  language: {language}\n  font: false\n  features: [navigation.instant]\n"
        f"  palette:\n    - {{media: '(prefers-color-scheme: light)', scheme: default, primary: custom}}\n"
        f"    - {{media: '(prefers-color-scheme: dark)', scheme: slate, primary: custom}}\n"
        f"markdown_extensions: [attr_list]\n"
        f"extra:\n  gallery:\n    model: {model}\n    n_steps: 8\n{settings}",
        "utf-8",
    )
    return config


def run(config: Path, *arguments: str) -> Result:
    """Run a command of build.py on a gallery, as a shell would."""
    command, *rest = arguments or ("build",)
    return CliRunner().invoke(main, [command, "--config-file", str(config), *rest])


MANY = 250
"""Passages of a gallery whose lists take three pages."""


def multiply(config: Path, count: int) -> None:
    """Make an explained gallery one of `count` passages, which take their entries in turn from those that are there."""
    store = Store(config.parent / "store")
    header, rows = read_header(store), list(read_rows(store))
    chosen = (rows[number % len(rows)] for number in range(count))
    write_manifest(store, header, (replace(row, id=f"{row.id}-{number}", title=f"{row.title} {number}") for number, row in enumerate(chosen, 1)))


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder by its path; locks and timings are no content."""
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in {".lock", "timings.json"}
    }
