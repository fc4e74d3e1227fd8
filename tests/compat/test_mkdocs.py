"""Canaries: each fails, and says what to do, when a new MkDocs has other private parts than gallery/compat/mkdocs.py uses."""

import socket
import threading
import urllib.request
from pathlib import Path

from mkdocs.commands.build import build
from mkdocs.config import load_config

from gallery.compat.mkdocs import LiveServer, add_module_script, on_event

REMEDY = "Read mkdocs/livereload/__init__.py and adapt LiveServer in gallery/compat/mkdocs.py."
PAGE = "<html><head></head><body>{}</body></html>"


class Server(LiveServer):
    """Answers one path itself; counts its rebuilds."""

    def __init__(self, folder: Path, port: int) -> None:
        self.overtaken_in_build: list[bool] = []
        self.built = threading.Event()
        super().__init__(self.rebuild, folder, port)

    def rebuild(self) -> None:
        self.overtaken_in_build.append(self.overtaken())
        self.show()
        self.show_again()
        self.built.set()

    def page(self, path: str) -> bytes | None:
        return PAGE.format("fresh").encode() if path == "/fresh/" else None

    def cleaned(self, content: bytes) -> bytes:
        return content.replace(b"<head></head>", b"<head>clean</head>")


def test_the_live_server_answers_rebuilds_and_shows(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text(PAGE.format("kept"), "utf-8")
    (tmp_path / "watched").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Server(tmp_path / "site", port)
    server.watch(str(tmp_path / "watched"))
    serving = threading.Thread(target=server.serve, daemon=True)
    serving.start()

    def get(path: str) -> str:
        answer: bytes = urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30).read()
        return answer.decode()

    try:
        while not server.serve_thread.is_alive():
            serving.join(0.01)
        for path, content in (("/", "kept"), ("/fresh/", "fresh")):
            page = get(path)
            assert content in page, f"{path}: `page` is not what decides the answer. {REMEDY}"
            assert "clean" in page, f"{path}: `cleaned` was not called, so a page's policy would stop the script that reloads it. {REMEDY}"
            assert "livereload" in page, f"{path}: no script that reloads the page. {REMEDY}"
        version = get("/livereload/0/0")
        (tmp_path / "watched" / "passage.md").write_text("Текст.", "utf-8")
        assert server.built.wait(30), f"a change of a watched folder began no build. {REMEDY}"
        assert server.overtaken_in_build[0] is False, f"`overtaken` is true at a build's beginning. {REMEDY}"
        assert int(get(f"/livereload/{version}/0")) > int(version), f"browsers are not told of the new version. {REMEDY}"
    finally:
        server.shutdown()
        serving.join(30)


def test_scripts_are_modules_and_an_event_comes_after_the_plugins(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# X", "utf-8")
    (tmp_path / "mkdocs.yml").write_text("site_name: x\ntheme: {name: material}\nplugins: [offline]\n", "utf-8")
    config = load_config(str(tmp_path / "mkdocs.yml"))
    add_module_script(config, "gallery.js")
    script = config["extra_javascript"][-1]
    assert (str(script), script.type) == ("gallery.js", "module"), "ExtraScriptValue: adapt add_module_script in gallery/compat/mkdocs.py"
    seen: list[bool] = []
    on_event(config, "config", lambda later: seen.append(later["use_directory_urls"]))
    build(config)
    assert seen == [False], "PluginCollection.events: our function must come after the plugin `offline`; adapt on_event in gallery/compat/mkdocs.py"
