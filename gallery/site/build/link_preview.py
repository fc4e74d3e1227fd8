"""What a link to a page shows where it is shared: tags put into each page after it is rendered, whatever templates the user has.

Title, description, language and address are read from the page itself. A page that has such tags of its own keeps them.
"""

import re
from html import unescape
from pathlib import Path

from gallery.site.html_reader import read_tags
from gallery.site.pages.declared import documents
from gallery.site.templates import rendered

_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL | re.IGNORECASE)
_HEAD_END = re.compile(r"(?=</head>)", re.IGNORECASE)
_LOCALES = {"ru": "ru_RU", "en": "en_US"}
_PASSAGES = "passages/shell/index.html"


def add_previews(folder: Path, site_url: str, name: str) -> None:
    """Add the tags to every page of a folder that MkDocs has rendered.

    site_url: address of the site; without it, pages have no pictures, since networks ask for whole addresses. name: the site's name.
    """
    stamped = {f"{document.address}index.html" for document in documents() if document.shared}
    for path in sorted(folder.rglob("*.html")):
        page, document = path.relative_to(folder).as_posix(), path.read_text("utf-8")
        if page == "404.html" or 'property="og:title"' in document:
            continue
        tags = _preview(document, site_url, name, page in stamped, page == _PASSAGES)
        path.write_text(_HEAD_END.sub(lambda _, tags=tags: tags, document, count=1), "utf-8")  # type: ignore[misc]


def _preview(document: str, site_url: str, name: str, stamped: bool, own_picture: bool) -> str:
    """Return the tags of a page. own_picture: whether the page's picture lies beside it; else it has the gallery's."""
    heading = _TITLE.search(document)
    title = unescape(heading[1].strip()) if heading else name
    tags = [(tag.name, tag.attributes()) for tag in read_tags(document[: document.lower().find("</head>")])]
    address = next((values.get("href") for tag, values in tags if tag == "link" and values.get("rel") == "canonical"), None) or ""
    language = next((values.get("lang") for tag, values in tags if tag == "html"), None) or "en"
    return str(
        rendered(
            language,
            "link-preview.html",
            name=name,
            stamped=stamped,
            locale=_LOCALES.get(language, language),
            title=title.removesuffix(f" - {name}") or name,
            description=next((values.get("content") for tag, values in tags if tag == "meta" and values.get("name") == "description"), None) or "",
            address=address,
            picture=f"{address}card.png" if own_picture else f"{site_url.rstrip('/')}/assets/gallery/card.png",
        )
    )
