"""The picture of what the head says after each layer, held against the stored logits."""

import re
from pathlib import Path

import numpy as np

from gallery.store.entries import Store
from gallery.store.manifest import EntryName, read_rows


def test_the_curves_end_where_the_prediction_is(built: Path) -> None:
    store = Store(built.parent / "store")
    for row in read_rows(store):
        prediction = store.read("prediction", row.entries[EntryName("prediction")])
        layers = store.read("layers", row.entries[EntryName("layers")])
        shares = np.exp(layers.logits) / np.exp(layers.logits).sum(-1, keepdims=True)
        page = (built.parent / "site" / "passages" / row.id / "index.html").read_text("utf-8")
        drawn = re.search(r'<figure class="g-erasing g-depth">.*?</figure>', page, re.DOTALL)
        assert drawn is not None
        lines = {
            kind: [float(pair.split(",")[1]) for pair in points.split()] for kind, points in re.findall(r'class="?g-line-(\w+)"? points="([^"]+)"', drawn[0])
        }
        for kind, name in zip(("own", "rival", "random"), prediction.ranking[:3], strict=True):
            np.testing.assert_allclose(lines[kind], 120 * (1 - shares[:, name]), atol=0.06)
            assert abs(lines[kind][-1] - 120 * (1 - prediction.probabilities[name])) < 0.06
