"""The keys of a passage: in front matter, and as columns of tables."""

OPTIONAL = ("title", "work", "source", "note", "kind", "year", "edition")
"""Keys of which each page makes something where they are given."""
REFERENCE = ("url", "sha256", "start", "length", "encoding")
"""Keys of a passage whose text stands elsewhere; see `gallery.passages.references`."""
COLUMNS = frozenset({"id", "true_class", "text", *OPTIONAL, *REFERENCE})
REQUIRED = (("id",), ("true_class",), ("text", "url"))
"""A table must have one column of each group."""
