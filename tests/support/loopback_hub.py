"""A Hugging Face hub on the loopback: what huggingface_hub asks when it takes a snapshot of a repository."""

import hashlib
import json
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.loopback import Loopback, Request

LARGE = (".safetensors", ".bin")
"""Files kept as on the real hub in LFS, known by their sha256."""


class LoopbackHub(Loopback):
    """Serves `repos`: org/name -> branch, tag or commit -> files."""

    def __init__(self, repos: dict[str, dict[str, dict[str, bytes]]] | None = None, port: int = 0) -> None:
        super().__init__(port)
        self.repos = repos or {}
        self.served: dict[str, bytes] = {}
        """What comes over the wire for a file, where that differs."""
        self.fetched: list[tuple[str, int]] = []
        """File and first byte of every GET."""
        self.breaks_after: int | None = None
        """Break the connection off after so many bytes of the weights; once, unless the hub dies of it."""
        self.dies = False

    def environment(self) -> dict[str, str]:
        return {"HF_ENDPOINT": self.address, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_XET": "1"}

    @staticmethod
    def commit(files: dict[str, bytes]) -> str:
        return hashlib.sha1(json.dumps({name: _blob(content) for name, content in sorted(files.items())}).encode()).hexdigest()

    def _files(self, repo: str, revision: str) -> dict[str, bytes] | None:
        branches = self.repos[repo]
        return branches.get(revision) or next((files for files in branches.values() if self.commit(files) == revision), None)

    def get(self, request: Request) -> None:
        parts = [unquote(part) for part in urlsplit(request.path).path.split("/")[1:]]
        api = parts[:2] == ["api", "models"]
        if api:
            parts = parts[2:]
        if len(parts) < 4:
            return request.reply(404, b"{}")
        repo, verb, revision, name = "/".join(parts[:2]), parts[2], parts[3], "/".join(parts[4:])
        if repo not in self.repos:
            return request.reply(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        files = self._files(repo, revision)
        if files is None:
            return request.reply(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        if api:
            answer: Any = {"id": repo, "sha": self.commit(files), "siblings": []} if verb == "revision" else [_entry(n, c) for n, c in sorted(files.items())]
            return request.reply(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})
        if name not in files:
            return request.reply(404, b"", {"X-Error-Code": "EntryNotFound"})
        return self._file(request, name, files[name], self.commit(files))

    def _file(self, request: Request, name: str, meant: bytes, commit: str) -> None:
        content = self.served.get(name, meant)
        etag = hashlib.sha256(meant).hexdigest() if name.endswith(LARGE) else _blob(meant)
        start = int((request.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
        headers = {"X-Repo-Commit": commit, "ETag": f'"{etag}"', "Accept-Ranges": "bytes"}
        if request.command == "GET":
            self.fetched.append((name, start))
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        if request.command == "GET" and self.breaks_after is not None and name.endswith(LARGE):
            request.reply(200, content, headers, stop_at=self.breaks_after)
            self.breaks_after = None
            return self.die() if self.dies else None
        return request.reply(206 if start else 200, content[start:], headers)

    def post(self, request: Request) -> None:
        parts = [unquote(part) for part in request.path.split("/")[3:]]
        files = self._files("/".join(parts[:2]), parts[3])
        assert parts[2] == "paths-info"
        assert files
        body = request.body.decode()
        paths = json.loads(body)["paths"] if body.startswith("{") else parse_qs(body)["paths"]
        request.reply(200, json.dumps([_entry(name, files[name]) for name in paths if name in files]).encode(), {"Content-Type": "application/json"})


def _blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _entry(name: str, content: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": name, "size": len(content), "oid": _blob(content)}
    if name.endswith(LARGE):
        entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
    return entry
