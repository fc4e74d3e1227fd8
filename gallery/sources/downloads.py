"""Downloads of texts: fetched once, verified by sha256, with bounds on their size and on the redirects that are followed."""

import socket
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import urljoin, urlsplit

from gallery.errors import PassageError, install_command, reason
from gallery.sources.cache import cache_folder

MAX_BYTES = 64 << 20
"""Longest download, in bytes; a longer one is an error."""
_TIMEOUT = (10, 30)
_CHUNK = 1 << 16


def download(url: str, digest: str) -> Path:
    """Return the cached file of a URL, verified; fetch it with pooch if it is not in the cache.

    `digest` is the sha256 (hex) of the file. Raises PassageError if it cannot be fetched or is another file.
    """
    try:
        import pooch
        import requests
    except ImportError as error:
        raise PassageError(f"{url}: fetching texts needs pooch. Run: {install_command('explain')}, or set extra.gallery.texts.") from error
    pooch.get_logger().setLevel("WARNING")
    try:
        _check_address(url, None)
        return Path(pooch.retrieve(url, f"sha256:{digest}", fname=digest, path=cache_folder() / "texts", downloader=_stream))
    except requests.RequestException as error:
        raise PassageError(f"{url}: cannot be fetched: {reason(error)}. Connect to the network, or set extra.gallery.texts to a folder that has it.") from error
    except ValueError as error:
        raise PassageError(f"{url}: what arrived is not the file that was meant: its sha256 differs. Correct url or sha256.") from error


def _stream(url: str, output_file: str, _: Any) -> None:
    from gallery.sources.peers import Peers

    peers = Peers(url)

    def check(response: Any, *_: Any, **__: Any) -> None:
        if response.is_redirect:
            _check_address(urljoin(response.url, response.headers["Location"]), url, peers.public)
        elif int(response.headers.get("Content-Length") or 0) > MAX_BYTES:
            raise _too_long(url)

    with peers.session() as session, Path(output_file).open("wb") as stream:
        bounded = _Bounded(stream, url)
        with session.get(url, stream=True, hooks={"response": check}, timeout=_TIMEOUT) as response:
            response.raise_for_status()
            with _bar(int(response.headers.get("Content-Length") or 0)) as bar:
                for chunk in response.iter_content(_CHUNK):
                    bounded.write(chunk)
                    if bar is not None:
                        bar.update(len(chunk))


def _bar(total: int) -> AbstractContextManager[Any]:
    """Return a progress bar of `total` bytes at a terminal; elsewhere a context of None."""
    if not sys.stderr.isatty():
        return nullcontext()
    from tqdm import tqdm

    return cast(AbstractContextManager[Any], tqdm(total=total or None, unit="B", unit_scale=True, leave=False))


class _Bounded:
    """A file that raises PassageError when more than MAX_BYTES are written to it."""

    def __init__(self, stream: IO[bytes], url: str) -> None:
        self._stream, self._url, self._left = stream, url, MAX_BYTES

    def write(self, chunk: bytes) -> int:
        self._left -= len(chunk)
        if self._left < 0:
            raise _too_long(self._url)
        return self._stream.write(chunk)


def _too_long(url: str) -> PassageError:
    return PassageError(f"{url}: longer than {MAX_BYTES:,} bytes. Cut the passage out of a shorter file.")


def _check_address(url: str, origin: str | None, public: bool | None = None) -> None:
    """Raise PassageError for an address that is not http(s), and for a redirect from a public address to a private one.

    `origin` is the address that redirects to `url`, None for the first. A name may resolve to another address by the time of the
    connection, so `Peers` checks that again.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise PassageError(f"{origin or url}: {'sends on to ' + url if origin else 'not a web address'}. Only http and https are followed.")
    if origin and public and _private(parts.hostname):
        from gallery.sources.peers import private_address

        raise private_address(parts.hostname, origin)


def _private(host: str) -> bool:
    from gallery.sources.peers import is_public

    try:
        addresses = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return not all(map(is_public, addresses))
