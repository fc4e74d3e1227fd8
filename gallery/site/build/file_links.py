"""Links that name the file index.html, for `use_directory_urls: false`: a site that is opened from a disk has no server to find it."""

import re

_LINK = re.compile(r'(<a\b[^>]*?\shref=")([^"#?:]*)(?=["#?])')


def name_file(address: str) -> str:
    """Return an address with index.html where it is a folder's; one that is empty, or has a host, stays."""
    path, mark, rest = re.match(r"([^#?]*)([#?]?)(.*)", address, re.DOTALL).groups()  # type: ignore[union-attr]
    folder = "//" not in path and ":" not in path and (path.endswith("/") or path.rpartition("/")[2] in {".", ".."})
    return f"{path.rstrip('/') if path != '/' else ''}/index.html{mark}{rest}" if folder else address


def name_files(html: str) -> str:
    """Return a page or a fragment whose links name the files that they lead to; scripts and pictures stay as they are."""
    return _LINK.sub(lambda link: link[1] + name_file(link[2]), html)
