"""Names of author classes in addresses."""

from collections.abc import Sequence

from slugify import slugify

from gallery.passages.read import RESERVED

# English spelling of Russian names: Tolstoy, Gorky, Bryusov.
_SPELLING = (("ий", "y"), ("ый", "y"), ("й", "y"), ("ю", "yu"), ("я", "ya"))


def author_slugs(labels: Sequence[str]) -> list[str]:
    """Return every class's name in Latin letters, with a number where two classes would share it."""
    slugs: list[str] = []
    for number, label in enumerate(labels):
        slug = slugify(label.lower(), max_length=80, replacements=_SPELLING) or f"class-{number}"
        while slug in slugs or slug in RESERVED:
            slug = f"{slug}-{number}"
        slugs.append(slug)
    return slugs
