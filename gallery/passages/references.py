"""Passages by reference: the address of a text, its sha256, and the stretch of it that is the passage.

`start` and `length` count characters (code points) of the decoded file, without its byte-order mark:
`open(file, encoding="utf-8-sig", newline="").read()[start:start + length]`. White space is set right after the cut,
so that anyone can check the offsets against the file without this program.
"""

import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from gallery.errors import PassageError, reason, shown
from gallery.sources.cache import file_digest
from gallery.sources.downloads import download

_LONGEST_URL = 1000


class Texts:
    """The texts that passages refer to, from a folder or from the network; keeps the last one in memory."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._last: tuple[tuple[str, str, str], str] | None = None
        self._failed: dict[tuple[str, str, str], str] = {}

    def passage(self, row: dict[str, Any], origin: str) -> str:
        """Return the stretch of text that a row of `url`, `sha256`, `start`, `length` (and `encoding`) names.

        Raises PassageError if the text cannot be read or fetched, has another sha256, or is too short.
        """
        url, digest = str(row.get("url")), str(row.get("sha256", "")).lower()
        if len(url) > _LONGEST_URL:
            raise PassageError(f"{origin}: url: {len(url):,} characters, which is no address. Give that of the text.", origin, "url too long")
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise PassageError(f"{origin}: sha256: missing or not 64 hexadecimal digits. Give the sha256 of the whole file at url.", origin)
        start, length = (_count(row.get(key), key, origin) for key in ("start", "length"))
        text = self._text(url, digest, str(row.get("encoding") or "utf-8-sig"), origin)
        if not length or start + length > len(text):
            raise PassageError(
                f"{origin}: length: {start} + {length} is not within the {len(text)} characters of {url}. Correct start and length.", origin, "length"
            )
        return set_white_space(text[start : start + length], hard_wrap(text))

    def _text(self, url: str, digest: str, encoding: str, origin: str) -> str:
        key = (url, digest, encoding)
        if self._last and self._last[0] == key:
            return self._last[1]
        try:
            if key in self._failed:
                raise PassageError(self._failed[key])
            path = self._local(url, digest) or download(url, digest)
            text = path.read_bytes().decode("utf-8-sig" if encoding.lower() in {"utf-8", "utf8"} else encoding)
        except (UnicodeDecodeError, LookupError) as error:
            raise PassageError(f"{origin}: encoding: {url} cannot be read as {shown(encoding)}. Name the right one.", origin) from error
        except OSError as error:
            raise PassageError(f"{origin}: {url}: {reason(error)}.", origin) from error
        except PassageError as error:
            self._failed[key] = error.message
            raise PassageError(f"{origin}: {error.message}", origin) from error
        self._last = key, text
        return text

    def _local(self, url: str, digest: str) -> Path | None:
        """Return the file of the texts folder that holds a URL's text, or None if there is none.

        A file of a public repository is expected at owner/repository/path, any other at host/path, either of them directly
        or below a folder `texts`. Raises PassageError if the file has another sha256.
        """
        if self.folder is None:
            return None
        parts = urlsplit(url)
        names = [unquote(part) for part in parts.path.split("/") if part]
        names = names[:2] + names[3:] if parts.hostname == "raw.githubusercontent.com" else [parts.hostname or "", *names]
        if not names or any(name in {"", ".", ".."} or "/" in name or "\\" in name for name in names):
            return None
        for path in (self.folder.joinpath(*names), self.folder.joinpath("texts", *names)):
            if path.is_file():
                actual = file_digest(path)
                if actual != digest:
                    raise PassageError(
                        f"{path}: sha256 is {actual[:12]}…, wanted {digest[:12]}…: another edition. Put the file from {url} there, or take it away."
                    )
                return path
        return None


def _count(value: Any, key: str, origin: str) -> int:
    try:
        number = int(str(value))
    except ValueError:
        number = -1
    if number < 0:
        raise PassageError(f"{origin}: {key}: {shown(value)} is not a count of characters. Give a whole number.", origin, f"{key}: no count")
    return number


_LONG_LINE = 100


def hard_wrap(text: str) -> int | None:
    """Return the indentation of a hard-wrapped text's ordinary lines, or None for a text that is not hard-wrapped.

    A text is hard-wrapped if it has at least ten lines, and fewer than 1 % of them are longer than 100 characters.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 10 or sum(len(line) > _LONG_LINE for line in lines) * 100 >= len(lines):
        return None
    indents = Counter(len(line) - len(line.lstrip()) for line in lines)
    return max(indents, key=lambda indent: (indents[indent], -indent))


def set_white_space(text: str, running: int | None) -> str:
    """Return a stretch of text with one blank line between paragraphs and single spaces within them.

    `running` is None if each line is a paragraph. For a hard-wrapped text it is the indentation of ordinary lines, and a paragraph
    ends at an empty line or before a line that is indented deeper. Soft hyphens and byte-order marks are removed.
    """
    paragraphs: list[list[str]] = []
    fresh = True
    for line in text.replace("\u00ad", "").replace("\ufeff", "").splitlines():
        words = line.split()
        deeper = running is None or len(line) - len(line.lstrip()) > running
        if words and (fresh or deeper or not paragraphs):
            paragraphs.append(words)
        elif words:
            paragraphs[-1] += words
        fresh = not words
    return "\n\n".join(" ".join(words) for words in paragraphs)
