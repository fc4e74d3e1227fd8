"""The rules of the site's rooms: pages are declared once, functions take few arguments, entry names stay in one module."""

import ast
from pathlib import Path

import pytest

from gallery.site.build.mkdocs_shells import shared_folders
from gallery.site.language import language
from gallery.site.pages.declared import declarations, documents, required_addresses
from gallery.site.pages.page import Declaration, Document

ROOM = Path(__file__).parents[2] / "gallery" / "site"
MODULES = sorted(ROOM.rglob("*.py"))


def test_a_module_with_a_declaration_is_a_page() -> None:
    declaring = [path for path in MODULES if path.parent.name == "pages" and "\nDECLARATION = " in path.read_text("utf-8")]
    assert len(declarations()) == len(declaring) > 8
    assert all(isinstance(declaration, Declaration) for declaration in declarations())
    positions = [declaration.position for declaration in declarations()]
    assert positions == sorted(set(positions)), "two pages have one position"


def test_documents_and_addresses_are_unique() -> None:
    names = [document.name for document in documents()]
    assert len(names) == len(set(names))
    assert required_addresses() == ("authors/", "compare/", "methods/", "model/")
    assert set(shared_folders()) == {"passages/shell/", "passages/page/", "authors/shell/"}


def test_the_navigation_has_a_name_for_each_page_of_its_own_in_both_languages() -> None:
    named = [declaration.nav for declaration in declarations() if declaration.nav]
    assert [name(language("en").gettext) for name in named] == ["Passages", "Authors", "Compare", "How to read this", "Methods", "About the model"]
    assert all(name(language("ru").gettext) != name(language("en").gettext) for name in named)


@pytest.mark.parametrize(
    ("document", "address", "text"),
    [
        (Document("a/index.md", ("x",), title=lambda _: _("Authors")), "a/", "---\nhide: [navigation, toc]\n---\n# Authors\n\n<!-- gallery:x -->\n"),
        (
            Document("a/shell.md", ("x", "y")),
            "a/shell/",
            "---\ntitle: gallery-slot-title\ndescription: gallery-slot-description\nhide: [navigation, toc]\n---\n<!-- gallery:x -->\n\n<!-- gallery:y -->\n",
        ),
    ],
)
def test_a_document_has_its_slots(document: Document, address: str, text: str) -> None:
    assert document.address == address
    assert document.text(lambda text: text) == text


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOM)))
def test_no_function_takes_more_than_six_arguments(path: Path) -> None:
    functions = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.FunctionDef)]
    named = {node.name: [given.arg for given in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)] for node in functions}
    assert {name: names for name, names in named.items() if len([name for name in names if name != "self"]) > 6} == {}


def test_only_one_module_knows_how_entries_are_named() -> None:
    kinds = ("attribution/", "faithfulness/", "sanity/")
    for path in MODULES:
        texts = [node.value for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        assert path.name == "entries.py" or not [text for text in texts if text.startswith(kinds)], path


def test_no_module_is_longer_than_300_lines() -> None:
    assert [path.name for path in MODULES if len(path.read_text("utf-8").splitlines()) > 300] == []
