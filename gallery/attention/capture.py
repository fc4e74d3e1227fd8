"""Every head's attention over a passage: queries and keys captured as the model runs, and the record made of them.

transformers hands each layer's queries and keys to an attention function by name. Ours passes them on and calls sdpa, so that
no T×T tensor is held. A layer is encoded as soon as the model reaches it and then dropped. Everything derived (means, rollout,
summaries, the picture) is computed a few rows at a time: memory grows with T, and not with the layers.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gallery.attention.eager import NoAttentionError, eager_attention, tolerance
from gallery.attention.encoding import encode_weights
from gallery.attention.layer import Layer, QueryKeyLayer, Receiver, WeightLayer, is_causal, refuse_nonfinite
from gallery.attention.norms import norm_attention
from gallery.attention.reach import NoProductError, attend_within, reach_in, reach_mask
from gallery.attention.recorder import Recorder, without_attention
from gallery.compat.transformers import attention_by, register_attention
from gallery.config import AttentionSettings
from gallery.model.classifier import Classifier
from gallery.model.tokenized import Tokenized
from gallery.store.records import Array, Attention

_BEGINNING = 160
"""Tokens of a passage's beginning, on which the captured layers are compared with eager attention."""


@torch.no_grad()
def attend(classifier: Classifier, batch: Sequence[Tokenized], settings: AttentionSettings) -> list[Attention]:
    """Return the attention of every layer and head of each passage; a record that says why, where the architecture shows none.

    Queries and keys whose softmax is not what transformers' eager attention computes are not used: the weights themselves are
    then kept. Raises FloatingPointError where they are not finite.
    """
    try:
        return _recorded(classifier, batch, settings)
    except NoAttentionError as error:
        return [without_attention(tokenized, error) for tokenized in batch]


def _recorded(classifier: Classifier, batch: Sequence[Tokenized], settings: AttentionSettings) -> list[Attention]:
    if not classifier.card.heads:
        raise NoAttentionError("none")
    recorders = [Recorder(tokenized, classifier, settings) for tokenized in batch]
    checked = _checked(classifier, batch[0].ids[:_BEGINNING])
    if checked is None:
        for tokenized, recorder in zip(batch, recorders, strict=True):
            _capture_weights(classifier, tokenized.ids, recorder)
    elif len(batch) == 1 and len(batch[0].ids) <= _BEGINNING:
        for number, layer in enumerate(checked):
            recorders[0].add(number, layer)
    elif not _capture_queries_keys(classifier, [tokenized.ids for tokenized in batch], recorders):
        raise NoAttentionError("pairs")
    records = [recorder.attention() for recorder in recorders]
    if not settings.norms:
        return records
    return [replace(record, norms=_norms(classifier, tokenized)) for tokenized, record in zip(batch, records, strict=True)]


def _norms(classifier: Classifier, tokenized: Tokenized) -> dict[str, Array]:
    """Return norm-based attention, encoded, by layer number (two digits)."""
    layers = norm_attention(classifier, tokenized)
    return {f"{number:02d}": np.frombuffer(encode_weights(norms.cpu().numpy()), np.uint8) for number, norms in enumerate(layers)}


def _capture_queries_keys(classifier: Classifier, rows: Sequence[Sequence[int]], receivers: Sequence[Receiver]) -> bool:
    """Give each passage's receiver the queries and keys of every layer as the model reaches it.

    Returns whether the model's scores are their product; where not, receivers may have got some layers. No T×T tensor is
    made: a mask is known by its reach, and sdpa goes through a local layer a few rows at a time.
    """
    lengths = [len(row) for row in rows]
    number = 0

    def keep(module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **rest: Any) -> tuple[Tensor, None]:
        nonlocal number
        if any(rest.get(name) is not None for name in ("position_bias", "softcap", "s_aux")) or query.shape[2] != key.shape[2]:
            raise NoProductError
        groups = query.shape[1] // key.shape[1]
        scaling = float(rest.get("scaling") or query.shape[-1] ** -0.5)
        mixed = torch.zeros(query.shape[0], query.shape[2], query.shape[1], value.shape[3], dtype=query.dtype, device=query.device)
        for row, (length, receiver) in enumerate(zip(lengths, receivers, strict=True)):
            reach = reach_in(attention_mask, row, length, causal=bool(getattr(module, "is_causal", False)))
            q, k, v = query[row, :, :length], *(part[row, :, :length].repeat_interleave(groups, 0) for part in (key, value))
            receiver.add(number, QueryKeyLayer(q.float(), k.float(), scaling, reach))
            mixed[row, :length] = attend_within(q, k, v, scaling, reach).transpose(0, 1)
        number += 1
        return mixed, None

    register_attention("gallery", keep, reach_mask)
    try:
        with attention_by(classifier.model, "gallery"):
            classifier.model(**classifier.batch(rows))
    except FloatingPointError:
        raise
    except Exception:  # NoProductError, or whatever an architecture makes of a mask that is none
        return False
    return number == classifier.card.layers


def _capture_weights(classifier: Classifier, ids: Sequence[int], receiver: Receiver) -> None:
    eager_attention(classifier, ids, lambda number, weights: receiver.add(number, WeightLayer(weights)))


def _checked(classifier: Classifier, ids: Sequence[int]) -> Sequence[Layer] | None:
    """Return the layers of a passage's beginning as queries and keys; None where eager attention does not compute their softmax."""
    ours, theirs = _Kept(), _Kept()
    if classifier.card.cross or not _capture_queries_keys(classifier, [ids], [ours]):
        return None
    for number, layer in enumerate(ours.layers):
        refuse_nonfinite(number, len(ours.layers), layer)
    _capture_weights(classifier, ids, theirs)
    for number, (own, layer) in enumerate(zip(ours.layers, theirs.layers, strict=True)):
        ((_, expected),) = layer.rows()
        refuse_nonfinite(number, len(ours.layers), layer)  # NaN would hide in the largest distance
        distance = max(float((rows - expected[:, start : start + rows.shape[1]]).abs().max()) for start, rows in own.rows())
        if not distance <= tolerance(classifier):
            return None
    return ours.layers if len({is_causal(layer) for layer in ours.layers}) == 1 else None


class _Kept:
    """Keeps the layers of a short text."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []

    def add(self, number: int, layer: Layer) -> None:
        """Keep a layer."""
        self.layers.append(layer)
