"""A record on disk: a safetensors file that carries its own checksum.

Arrays are its tensors. Everything else is canonical JSON in the file's metadata, under the single key `entry`: safetensors does not
keep the order of several keys.
"""

import hashlib
import json
from dataclasses import fields
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from gallery.store.keys import SCHEMA, canonical
from gallery.store.records import RECORD_TYPES, Array, Record

_ZEROS = "0" * 64
_CHECKSUM_AT = rb"\"sha256\":\""  # the entry is JSON inside the header's JSON, so its quotes are escaped


def _jsonable(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def encode(record: Record) -> bytes:
    """Return a record as the bytes of a safetensors file that carries its own sha256.

    The checksum is that of the whole file with 64 zeros instead of the checksum, so any flipped bit is noticed.
    """
    values: dict[str, Any] = {}
    tensors: dict[str, Array] = {}
    for f in fields(record):
        value = getattr(record, f.name)
        if isinstance(value, np.ndarray):
            tensors[f.name] = np.ascontiguousarray(value)
        elif isinstance(value, dict) and value and all(isinstance(v, np.ndarray) for v in value.values()):
            tensors |= {f"{f.name}.{k}": np.ascontiguousarray(v) for k, v in value.items()}
        else:
            values[f.name] = _jsonable(value)
    entry = canonical({"schema": SCHEMA, "kind": record.kind, "sha256": _ZEROS, "values": values})
    blob = save(tensors, metadata={"entry": entry})
    digest = hashlib.sha256(blob).hexdigest()
    return blob.replace(_CHECKSUM_AT + _ZEROS.encode(), _CHECKSUM_AT + digest.encode(), 1)


def decode(blob: bytes, kind: str) -> Record:
    """Return the record in the bytes of a file that `encode` made.

    Raises ValueError, saying why, if a byte has changed, if the kind or schema is another, or if the bytes are no record.
    """
    try:
        return _decode(blob, kind)
    except (KeyError, TypeError, AttributeError, RecursionError, SafetensorError) as error:
        raise ValueError(f"not a record: {type(error).__name__}: {error}") from error


def _decode(blob: bytes, kind: str) -> Record:
    at = blob.find(_CHECKSUM_AT)
    if at < 0:
        raise ValueError("no checksum found")
    at += len(_CHECKSUM_AT)
    plain = blob[:at] + _ZEROS.encode() + blob[at + 64 :]
    if hashlib.sha256(plain).hexdigest().encode() != blob[at : at + 64]:
        raise ValueError("checksum does not match")
    header = json.loads(blob[8 : 8 + int.from_bytes(blob[:8], "little")])
    entry = json.loads(header["__metadata__"]["entry"])
    if entry["schema"] != SCHEMA or entry["kind"] != kind:
        raise ValueError(f"schema {entry['schema']} and kind {entry['kind']}, wanted {SCHEMA} and {kind}")
    tensors = load(blob)
    values: dict[str, Any] = entry["values"]
    record_type = RECORD_TYPES[kind]
    for f in fields(record_type):
        if f.name in tensors:
            values[f.name] = tensors[f.name]
        elif f.name not in values:
            prefix = f.name + "."
            group = {n[len(prefix) :]: t for n, t in sorted(tensors.items()) if n.startswith(prefix)}
            if group:  # otherwise the field is younger than the entry and has a default, or it is missing and the type raises
                values[f.name] = group
        elif isinstance(values[f.name], list):
            values[f.name] = tuple(values[f.name])
    record: Record = record_type(**values)
    return record
