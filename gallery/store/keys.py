"""Keys of entries: the digest of everything on which an entry depends."""

import hashlib
import json
from typing import Any

SCHEMA = 1


def canonical(value: Any) -> str:
    """Return the canonical JSON text of a value: sorted keys, no spaces, characters unescaped."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def entry_key(**parts: Any) -> str:
    """Return the sha256 (hex) of everything on which an entry depends."""
    return hashlib.sha256(canonical({"schema": SCHEMA, **parts}).encode()).hexdigest()
