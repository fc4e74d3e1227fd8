"""A web address and a sha256 -> that file, fetched once, with bounds on what is followed and how much is taken."""

import ipaddress
import socket
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

from gallery.errors import PassageError
from gallery.sources.cache import cache_folder

MAX_BYTES = 64 << 20
"""No text is longer; a server that sends more is cut off."""
_TIMEOUT = (10, 30)


def download(url: str, digest: str) -> Path:
    """Return the file at a URL, fetched by pooch into the cache unless it is there; verified either way.

    Raises PassageError.
    """
    try:
        import pooch
        import requests
    except ImportError as error:
        raise PassageError(f'{url}: fetching texts needs pooch. Run: pip install -c constraints.txt ".[explain]", or set extra.gallery.texts.') from error
    pooch.get_logger().setLevel("WARNING")
    try:
        _check_address(url, None)
        return Path(pooch.retrieve(url, f"sha256:{digest}", fname=digest, path=cache_folder() / "texts", downloader=_stream))
    except requests.RequestException as error:
        raise PassageError(
            f"{url}: cannot be fetched: {_sentence(error)}. Connect to the network, or set extra.gallery.texts to a folder that has it."
        ) from error
    except ValueError as error:
        raise PassageError(f"{url}: what arrived is not the file that was meant: its sha256 differs. Correct url or sha256.") from error


def _stream(url: str, output_file: str, pooch: Any) -> None:
    from pooch import HTTPDownloader

    def check(response: Any, *_: Any, **__: Any) -> None:
        if response.is_redirect:
            _check_address(urljoin(response.url, response.headers["Location"]), url)
        elif int(response.headers.get("Content-Length") or 0) > MAX_BYTES:
            raise _too_long(url)

    with Path(output_file).open("wb") as stream:
        progress = sys.stderr.isatty() and find_spec("tqdm") is not None
        HTTPDownloader(progressbar=progress, hooks={"response": check}, timeout=_TIMEOUT)(url, _Bounded(stream, url), pooch)


class _Bounded:
    """A file that takes no more than MAX_BYTES."""

    def __init__(self, stream: IO[bytes], url: str) -> None:
        self._stream, self._url, self._left = stream, url, MAX_BYTES

    def write(self, chunk: bytes) -> int:
        self._left -= len(chunk)
        if self._left < 0:
            raise _too_long(self._url)
        return self._stream.write(chunk)

    def flush(self) -> None:
        self._stream.flush()


def _too_long(url: str) -> PassageError:
    return PassageError(f"{url}: longer than {MAX_BYTES:,} bytes. Cut the passage out of a shorter file.")


def _check_address(url: str, origin: str | None) -> None:
    """Refuse what is not http(s), and a public address that sends one on to a private one.

    Raises PassageError.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise PassageError(f"{origin or url}: {'sends on to ' + url if origin else 'not a web address'}. Only http and https are followed.")
    if origin and _private(parts.hostname) and not _private(urlsplit(origin).hostname or ""):
        raise PassageError(f"{origin}: sends on to {parts.hostname}, a private address. It is not followed; correct url.")


def _private(host: str) -> bool:
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return not all(ipaddress.ip_address(str(address).split("%")[0]).is_global for address in found)


def _sentence(error: BaseException) -> str:
    return " ".join(str(error).split())[:200].rstrip(".")
