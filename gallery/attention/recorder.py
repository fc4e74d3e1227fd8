"""A passage's layers, encoded as they come, become its `Attention` record."""

import numpy as np

from gallery.attention.derived import SUMMARY, Derived
from gallery.attention.eager import NoAttentionError, parts_of
from gallery.attention.encoding import encode_queries_keys, encode_weights
from gallery.attention.layer import Layer, QueryKeyLayer, refuse_nonfinite
from gallery.attention.picture import draw_heads
from gallery.attention.reach import Reach
from gallery.config import AttentionSettings
from gallery.model.classifier import Classifier, versions
from gallery.model.tokenized import Tokenized
from gallery.store.records import Array, Attention


class Recorder:
    """Takes the layers of one passage in order, and keeps their encoded bytes and what is derived from them."""

    def __init__(self, tokenized: Tokenized, classifier: Classifier, settings: AttentionSettings) -> None:
        self._tokens = len(tokenized.ids)
        self._parts = parts_of(classifier)
        self._layers = sum(count for _, count in self._parts)
        self._fineness = settings.precision
        self._derived = Derived(tokenized, self._layers)
        self._packed: dict[str, Array] = {}
        self._scalings: list[float] = []
        self._reaches: list[Reach] = []
        self._size = 0

    def add(self, number: int, layer: Layer) -> None:
        """Encode a layer.

        Raises FloatingPointError where it holds NaN or infinity.
        """
        refuse_nonfinite(number, self._layers, layer)
        self._derived.add(number, layer)
        if isinstance(layer, QueryKeyLayer):
            sums = None if self._derived.kept else layer.sums().cpu().numpy()
            blob = encode_queries_keys(layer.queries.cpu().numpy(), layer.keys.cpu().numpy(), layer.scaling, self._fineness, sums)
            self._size = layer.queries.shape[2]
            self._scalings.append(layer.scaling)
            self._reaches.append(layer.reach)
        else:
            blob = encode_weights(layer.weights.cpu().numpy())
        self._packed[f"{number:02d}"] = np.frombuffer(blob, np.uint8)

    def attention(self) -> Attention:
        """Return the passage's record, after the last layer."""
        derived, has_queries_keys = self._derived, bool(self._scalings)
        return Attention(
            shape=(self._layers, derived.pooled.shape[1], self._tokens, self._size),
            encoding={
                "kind": "products" if has_queries_keys else "weights",
                "precision": self._fineness,
                "scaling": self._scalings,
                "windows": [reach.before for reach in self._reaches],
                "sums": has_queries_keys and not derived.kept,
                **({"causal": True} if any(reach.after == 0 for reach in self._reaches) else {}),
                **({"parts": [list(part) for part in self._parts]} if len(self._parts) > 1 else {}),
            },
            packed=self._packed,
            mean=derived.packed_mean(self._fineness),
            rollout=derived.packed_rollout(self._fineness),
            picture=np.frombuffer(draw_heads(derived.pooled), np.uint8),
            summary=derived.summary,
            summary_names=SUMMARY,
            versions=versions(),
        )


def without_attention(tokenized: Tokenized, why: NoAttentionError) -> Attention:
    """Return the record of a passage whose model shows no attention, with the reason."""
    nothing = np.zeros(0, np.uint8)
    return Attention(
        shape=(0, 0, len(tokenized.ids), 0),
        encoding={"kind": "none", "why": why.why, "detail": why.detail},
        packed={},
        mean=nothing,
        rollout=nothing,
        picture=nothing,
        summary=np.zeros((0, 0, len(SUMMARY)), np.float32),
        summary_names=SUMMARY,
        versions=versions(),
    )
