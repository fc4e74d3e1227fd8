"""What the loopback servers share: a real socket on 127.0.0.1, a log of what was asked, and a way to die half-way."""

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self


class Request(BaseHTTPRequestHandler):
    """One request; `body` is read, replies carry their length."""

    protocol_version = "HTTP/1.1"
    loopback: "Loopback"
    body: bytes

    def reply(self, status: int, content: bytes, headers: dict[str, str] | None = None, stop_at: int | None = None) -> None:
        """Send an answer; with `stop_at`, only that many bytes of it, though all were promised."""
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(len(content))} | (headers or {})
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content if stop_at is None else content[:stop_at])
        if stop_at is not None:
            self.close_connection = True

    def _answer(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.loopback.dead:
            self.close_connection = True
            return
        self.loopback.log.append((self.command, self.path))
        try:
            getattr(self.loopback, self.command.lower())(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = _answer  # noqa: N815 (names given by http.server)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


class Loopback:
    """A server in a thread, for the length of a `with`; subclasses say what it answers."""

    def __init__(self, port: int = 0, host: str = "127.0.0.1") -> None:
        self.log: list[tuple[str, str]] = []
        """(method, path) of every request."""
        self.dead = False
        handler = type("Handler", (Request,), {"loopback": self})
        self._server = ThreadingHTTPServer((host, port), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

        self.port = int(self._server.server_address[1])

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.die()
        self._thread.join()

    def encrypt(self, certificate: Path, key: Path) -> None:
        """Speak TLS from now on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def die(self) -> None:
        """Stop taking connections, as a server that went down, and answer none that are open."""
        self.dead = True
        self._server.socket.close()
        threading.Thread(target=self._server.shutdown, daemon=True).start()

    def get(self, request: Request) -> None:
        request.reply(404, b"")

    def head(self, request: Request) -> None:
        self.get(request)

    def post(self, request: Request) -> None:
        request.reply(404, b"")

    def put(self, request: Request) -> None:
        request.reply(404, b"")
