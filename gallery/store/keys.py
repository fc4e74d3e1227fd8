"""Keys of entries: a digest of everything that an entry depends on."""

import hashlib
import json
from typing import Any

SCHEMA = 1


def canonical(value: Any) -> str:
    """Return the one JSON text of a value: keys sorted, no spaces, UTF-8 left as it is."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def entry_key(**parts: Any) -> str:
    """Return the sha256 (hex) of all that an entry depends on."""
    return hashlib.sha256(canonical({"schema": SCHEMA, **parts}).encode()).hexdigest()
