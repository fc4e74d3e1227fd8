"""A page of the site, and the declaration by which a module of this room adds one."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from markupsafe import Markup

from gallery.site.pages.gathered import GalleryInput

TITLE = "gallery-slot-title"
DESCRIPTION = "gallery-slot-description"
"""Slots for plain text in the front matter of a shell."""

Words = Callable[[Callable[[str], str]], str]
"""A text of the interface: gettext -> the text in its language."""


@dataclass(frozen=True)
class Page:
    """A page of the site: its fragments, and the shell that MkDocs has rendered for them."""

    shell: str
    """Address of the shell: passages/shell/, authors/shell/, or the page's own address."""
    address: str
    """Address of the page, with a slash at the end; empty for the front page."""
    slots: Mapping[str, Markup]
    """Slot name -> fragment."""
    title: str = ""
    description: str = ""
    card: bool = True
    """Whether a page of a passage has a card of its own."""
    search: str = ""
    """Plain text by which the reader's search finds the page; empty leaves the text that MkDocs has indexed."""


@dataclass(frozen=True)
class Document:
    """A Markdown document that MkDocs renders into a shell."""

    name: str
    """Path below the documents, such as `compare.md`."""
    slots: tuple[str, ...] = ()
    """Slots of the document that the build writes; none where people write the document, in `docs_dir`."""
    title: Words | None = None
    """Heading of the document; None where the shell serves many pages with titles of their own."""
    hide: str = "navigation, toc"
    """Parts of the theme's frame that the page goes without."""

    @property
    def address(self) -> str:
        """Address of the rendered document, with a slash at the end."""
        return self.name.removesuffix(".md").removesuffix("index").rstrip("/") + "/"

    @property
    def shared(self) -> bool:
        """Whether the document is a shell that no page has for its own."""
        return bool(self.slots) and self.title is None

    @property
    def shell_folder(self) -> str:
        """Folder of a shared shell, in which no page lies: its address up to `shell` or `page`."""
        match = re.match(r".*?/(?:shell|page)/", self.address)
        assert match is not None
        return match[0]

    def text(self, gettext: Callable[[str], str]) -> str:
        """Return the document that the build writes, in an interface language."""
        heading = f"# {self.title(gettext)}\n\n" if self.title else ""
        front = f"hide: [{self.hide}]\n" if self.title else f"title: {TITLE}\ndescription: {DESCRIPTION}\nhide: [{self.hide}]\n"
        return f"---\n{front}---\n{heading}" + "\n\n".join(f"<!-- gallery:{slot} -->" for slot in self.slots) + "\n"


def _no_pages(_: GalleryInput) -> Iterable[Page]:
    return ()


@dataclass(frozen=True)
class Declaration:
    """A kind of page: a module of this room adds it to the site by a module-level `DECLARATION`."""

    position: int
    """Order in the navigation and in the build."""
    documents: tuple[Document, ...]
    """The shells it needs; the navigation shows the first."""
    pages: Callable[[GalleryInput], Iterable[Page]] = _no_pages
    """Makes the pages when all passages are rendered; pages of passages are made one by one before."""
    nav: Words | None = None
    """Name in the navigation; None leaves the page out of it."""
