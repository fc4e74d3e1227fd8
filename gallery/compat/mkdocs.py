"""Undocumented parts of MkDocs: its live server's versions of the site, scripts with a type, its events."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mkdocs.config.config_options import ExtraScriptValue
from mkdocs.livereload import LiveReloadServer

StartResponse = Callable[..., Any]


class LiveServer(LiveReloadServer):
    """MkDocs' live server, with public methods for subclasses.

    The server numbers the versions of the site, and knows which version is being built and which version browsers are shown.
    Browsers wait for a newer version and reload.
    """

    def __init__(self, rebuild: Callable[[], None], folder: Path, port: int) -> None:
        super().__init__(rebuild, host="127.0.0.1", port=port, root=str(folder), mount_path="/")

    def overtaken(self) -> bool:
        """Tell whether a watched file has changed since the build in progress began."""
        return bool(self._want_rebuild)

    def ask(self) -> None:
        """Let the site be built again, as after a change of a watched file."""
        with self._rebuild_cond:
            self._want_rebuild = True
            self._rebuild_cond.notify_all()

    def show(self) -> None:
        """Let browsers reload now; from now on they are shown the version being built."""
        with self._epoch_cond:
            self._visible_epoch = self._wanted_epoch
            self._epoch_cond.notify_all()

    def show_again(self) -> None:
        """Let browsers reload once more when the build in progress ends, though they were shown its version already."""
        self._wanted_epoch += 1

    def page(self, path: str) -> bytes | None:
        """Return the HTML page to answer a path with; None leaves the answer to the files of the site."""
        return None

    def text(self, path: str) -> str | None:
        """Return the plain text to answer a path with; None leaves the answer to `page`."""
        return None

    def cleaned(self, content: bytes) -> bytes:
        """Return an HTML page fit for the script that reloads it."""
        return content

    def _serve_request(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes] | None:
        text = self.text(environ["PATH_INFO"])
        if text is not None:
            start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")])
            return [text.encode()]
        page = self.page(environ["PATH_INFO"])
        if page is None:
            answer: Iterable[bytes] | None = super()._serve_request(environ, start_response)
            return answer
        content = self._inject_js_into_html(page, self._visible_epoch)
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(content)))])
        return [content]

    def _inject_js_into_html(self, content: bytes, epoch: int) -> bytes:
        return bytes(super()._inject_js_into_html(self.cleaned(content), epoch))


def add_module_script(config: Any, path: str) -> None:
    """Let every page load a script as an ES module."""
    script = ExtraScriptValue(path)
    script.type = "module"
    config["extra_javascript"].append(script)


def on_event(config: Any, event: str, handler: Callable[..., Any]) -> None:
    """Call a function at an event of MkDocs, after the user's plugins; it gets what a plugin gets, and may return None to change nothing."""
    config["plugins"].events[event].append(handler)
