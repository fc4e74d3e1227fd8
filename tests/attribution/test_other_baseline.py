"""The second baseline: Captum's numbers from the other empty text, and the difference on the page."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from captum.attr import LayerIntegratedGradients

from gallery.attribution.attribute import attribute
from gallery.methods import method_of
from gallery.store.entries import Store
from gallery.store.manifest import EntryName, read_rows
from gallery.store.records import Attribution
from tests.support.classifiers import TEXT, load, parameters
from tests.support.galleries import make_gallery, run

Tiny = Callable[[str], Path]


@pytest.mark.parametrize(("first", "second"), [("pad", "mask"), ("mask", "pad")])
def test_the_path_begins_at_the_baseline_that_the_settings_do_not_name(tiny: Tiny, first: str, second: str) -> None:
    classifier = load(tiny("bert"))
    tokenized = classifier.tokenize(TEXT)
    own = parameters("other_baseline", n_steps=30, baseline=first)
    [[ours]] = attribute(method_of("other_baseline"), classifier, [tokenized], [[1]], own)
    ids, filler = torch.tensor([tokenized.ids]), getattr(classifier.tokenizer, f"{second}_token_id")
    start = torch.where(torch.tensor([tokenized.special]), ids, filler)
    explainer = LayerIntegratedGradients(lambda rows: classifier.model(rows).logits, classifier.layer)
    theirs = explainer.attribute(ids, start, target=1, n_steps=30).sum(-1)[0].numpy()
    assert np.abs(ours.tokens - theirs).max() <= 1e-5 * np.abs(theirs).max()
    assert ours.extra["baseline"] == second


def test_the_page_says_how_far_the_two_are_apart(tiny: Tiny, tmp_path: Path) -> None:
    config = make_gallery(
        tmp_path, tiny("bert"), language="en", settings="    methods: [integrated_gradients, other_baseline]\n    random_orders: 0\n    bertviz_tokens: 0\n"
    )
    done = run(config)
    assert done.exit_code == 0, done.output
    store = Store(tmp_path / "store")
    row = next(row for row in read_rows(store) if row.id == "dusty-road")
    predicted = store.read("prediction", row.entries[EntryName("prediction")]).ranking[0]  # type: ignore[union-attr]
    first, second = (store.read("attribution", row.entries[EntryName("attribution", name, predicted)]) for name in ("integrated_gradients", "other_baseline"))
    assert isinstance(first, Attribution)
    assert isinstance(second, Attribution)
    apart = np.abs(first.words - second.words).max() / np.abs(first.words).max()
    page = (tmp_path / "site" / "passages" / "dusty-road" / "index.html").read_text("utf-8")
    assert "From another empty text, mask tokens in place of pad" in page
    assert f"by up to {100 * apart:.0f}% of the largest" in page
    assert "integrated gradients from another empty text" in page, "in the switch of methods"
