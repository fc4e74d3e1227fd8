"""What the tests of fetching share: a process of its own for every fetch, since wandb and the hub read their environment once."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_PROGRAM = """
import dataclasses, json, sys
from pathlib import Path
import click
from gallery.sources.resolve import resolve_model, resolve_tokenizer
try:
    source = {"model": resolve_model, "tokenizer": resolve_tokenizer}[sys.argv[1]](sys.argv[2], Path.cwd())
except click.ClickException as error:
    sys.exit(error.show() or error.exit_code)
print(json.dumps({k: str(v) if isinstance(v, Path) else v for k, v in dataclasses.asdict(source).items()}))
"""

Fetch = Callable[..., "Fetched"]


class Fetched:
    """How a fetch ended."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.status = done.returncode
        self.message = done.stderr.strip()
        self._lines = done.stdout.strip().splitlines()

    def __getattr__(self, key: str) -> Any:
        assert self.status == 0, self.message
        return json.loads(self._lines[-1])[key]


def fetch_with(home: Path, environment: dict[str, str], name: str, kind: str = "model") -> Fetched:
    """Resolve a source in a fresh process that knows nothing of this machine's own keys and caches."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB_", "HF_", "GALLERY_"))}
    own = {"HOME": str(home), "HF_HOME": str(home / "hf"), "GALLERY_CACHE": str(home / "cache"), "WANDB_CACHE_DIR": str(home / "wandb-cache")}
    command = [sys.executable, "-c", _PROGRAM, kind, name]
    return Fetched(
        subprocess.run(
            command,
            cwd=home,
            env={**kept, "PYTHONPATH": str(ROOT), **own, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    )


def files_of(folder: Path) -> dict[str, bytes]:
    """Give the files of a folder by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
