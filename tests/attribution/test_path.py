"""Paths through a real classifier's embeddings: what is taken at their points, and how much goes through the model at once."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from gallery.attribution import path as paths
from gallery.attribution.integration import integrate
from gallery.attribution.path import Point, end_logits, make_path, walk
from gallery.config import Settings
from gallery.model.classifier import Classifier
from gallery.model.loading import load_classifier
from gallery.sources.resolve import resolve_model, resolve_tokenizer

TEXTS = ("человек пришёл домой", "никто его не ждал поздно вечером", "дом")
FIXED = {"output": "logit", "n_steps": 6, "delta_tolerance": 0.01}
ADAPTIVE = {**FIXED, "n_steps": None, "max_steps": 300}


@pytest.fixture(scope="module")
def bert(tiny: Callable[[str], Path]) -> Classifier:
    name = str(tiny("bert"))
    return load_classifier(resolve_model(name, Path()), resolve_tokenizer(name, Path()), Settings(device="cpu"))


class Watched:
    """The model's own way from embeddings to logits, with a note of the rows that went through it at once."""

    def __init__(self, classifier: Classifier) -> None:
        self.rows: list[tuple[int, int]] = []
        """Rows and tokens of each forward pass."""
        self._classifier = classifier

    @contextmanager
    def __call__(self, inputs: Mapping[str, Tensor]) -> Iterator[Callable[[Tensor], Tensor]]:
        with self._classifier.from_embeddings(inputs) as run:

            def watched(points: Tensor) -> Tensor:
                self.rows.append((points.shape[0], points.shape[1]))
                return run(points)

            yield watched


def logits_at(classifier: Classifier, path: paths.Path, node: float) -> np.ndarray:
    point = (path.start.double() + node * (path.end.double() - path.start.double())).float()[None]
    with torch.no_grad(), classifier.from_embeddings(classifier.batch([path.ids])) as run:
        return run(point)[0].double().numpy()


@pytest.mark.parametrize("baseline", ["pad", "mask", "zero"])
def test_a_path_leads_from_the_baseline_to_the_passage(bert: Classifier, baseline: str) -> None:
    tokenized = bert.tokenize(TEXTS[0])
    path = make_path(bert, tokenized, baseline)
    assert path.ids == tokenized.ids
    first, last = end_logits(bert, path, bert.from_embeddings)
    assert last == pytest.approx(bert.logits([tokenized.ids])[0].numpy(), abs=1e-5)
    if baseline == "zero":
        assert not path.start.any()
    else:
        token = {"pad": bert.tokenizer.pad_token_id, "mask": bert.tokenizer.mask_token_id}[baseline]
        blank = [own if special else token for own, special in zip(tokenized.ids, tokenized.special, strict=True)]
        assert first == pytest.approx(bert.logits([blank])[0].numpy(), abs=1e-5)


def test_values_at_a_point_add_up_to_the_slope_along_the_path(bert: Classifier) -> None:
    path = make_path(bert, bert.tokenize(TEXTS[1]), "pad")
    points = [Point(0, 0.75, (2,)), Point(0, 0.25, (1, 0))]  # neither in the order of nodes nor of classes
    for point, found in zip(points, walk(bert, [path], points, "logit", bert.from_embeddings), strict=True):
        slope = (logits_at(bert, path, point.node + 0.005) - logits_at(bert, path, point.node - 0.005)) / 0.01
        assert found.values.shape == (len(point.targets), len(path.ids))
        assert found.values.sum(-1) == pytest.approx(slope[list(point.targets)], rel=0.01, abs=2e-3)
        assert found.logits == pytest.approx(logits_at(bert, path, point.node), abs=1e-5)
        assert found.values.dtype == found.logits.dtype == np.float64


@pytest.mark.parametrize("mixed", [False, True])
def test_no_more_tokens_go_through_at_once_than_were_allowed(bert: Classifier, monkeypatch: pytest.MonkeyPatch, mixed: bool) -> None:
    monkeypatch.setattr(paths, "mixes", lambda device: mixed)
    walked = [make_path(bert, bert.tokenize(text), "pad") for text in TEXTS]
    longest = max(len(path.ids) for path in walked)
    points = [Point(number, node / 4, (0,)) for number in range(3) for node in range(5)]
    few = replace(bert, batch_tokens=2 * longest)
    watched = Watched(few)
    found = walk(few, walked, points, "logit", watched)
    assert sum(rows for rows, _ in watched.rows) == len(points), "each point goes through once"
    assert max(rows * tokens for rows, tokens in watched.rows) <= few.batch_tokens
    assert (2, longest) in watched.rows, "as much as is allowed"
    if not mixed:
        assert {tokens for _, tokens in watched.rows} == {len(path.ids) for path in walked}, "none is padded"
    alone = Watched(bert)
    for point, one in zip(points, found, strict=True):
        (other,) = walk(bert, [walked[point.path]], [replace(point, path=0)], "logit", alone)
        np.testing.assert_allclose(one.values, other.values, atol=1e-5 * np.abs(other.values).max())
        assert one.values.shape == (1, len(walked[point.path].ids))


def test_a_passage_longer_than_what_is_allowed_at_once_goes_through_row_by_row(bert: Classifier) -> None:
    path = make_path(bert, bert.tokenize(TEXTS[1]), "pad")
    small = replace(bert, batch_tokens=1)
    watched = Watched(small)
    walk(small, [path], [Point(0, 0.0, (0,)), Point(0, 1.0, (0,))], "logit", watched)
    assert watched.rows == [(1, len(path.ids))] * 2


def test_fixed_nodes_come_with_both_ends_and_delta_is_against_them(bert: Classifier) -> None:
    walked = [make_path(bert, bert.tokenize(text), "pad") for text in TEXTS[:2]]
    found = integrate(bert, walked, [[2, 0], [1]], FIXED, bert.from_embeddings)
    assert [[one.target for one in several] for several in found] == [[2, 0], [1]]
    for path, several in zip(walked, found, strict=True):
        ends = logits_at(bert, path, 1) - logits_at(bert, path, 0)
        for one in several:
            assert (one.steps, len(one.nodes), len(one.logits), len(one.values)) == (6, 8, 8, 6)
            assert (one.nodes[0], one.nodes[-1]) == (0, 1)
            assert one.nodes[1:-1] == pytest.approx((np.polynomial.legendre.leggauss(6)[0] + 1) / 2)
            for node, logits in zip(one.nodes, one.logits, strict=True):
                assert logits == pytest.approx(logits_at(bert, path, node), abs=1e-5)
            assert one.totals == pytest.approx(np.polynomial.legendre.leggauss(6)[1] / 2 @ one.values)
            assert one.delta == pytest.approx(one.totals.sum() - ends[one.target], abs=1e-5)
            assert one.error is None


def test_a_fixed_number_of_nodes_converges_if_delta_is_within_the_tolerance(bert: Classifier) -> None:
    walked = [make_path(bert, bert.tokenize(TEXTS[1]), "pad")]
    ((one,),) = integrate(bert, walked, [[1]], FIXED, bert.from_embeddings)
    change = float(np.diff(one.logits[[0, -1], 1])[0])
    share = abs(one.delta) / max(abs(change), 0.1 * np.abs(one.totals).sum())
    for factor, passes in ((1.01, True), (0.99, False)):
        ((again,),) = integrate(bert, walked, [[1]], {**FIXED, "delta_tolerance": share * factor}, bert.from_embeddings)
        assert again.converged is passes


def test_classes_share_the_forward_passes_of_their_nodes(bert: Classifier) -> None:
    walked = [make_path(bert, bert.tokenize(TEXTS[1]), "pad")]
    watched = Watched(bert)
    (several,) = integrate(bert, walked, [[0, 1, 2]], ADAPTIVE, watched)
    assert watched.rows[0][0] == 17
    assert sum(rows for rows, _ in watched.rows) == len(set.union(*(set(one.nodes.tolist()) for one in several)))
    for one in several:
        assert one.steps == len(one.nodes) == len(one.values) == len(one.logits)
        assert one.nodes.tolist() == sorted(one.nodes.tolist())
        ((alone,),) = integrate(bert, walked, [[one.target]], ADAPTIVE, bert.from_embeddings)
        assert alone.totals.tobytes() == one.totals.tobytes(), "what is found for a class does not depend on the others"
        assert (alone.delta, alone.converged, alone.error) == (one.delta, one.converged, one.error)


def test_refinement_ends_at_the_most_steps_that_were_allowed(bert: Classifier) -> None:
    walked = [make_path(bert, bert.tokenize(TEXTS[1]), "pad")]
    for most in (17, 20):
        ((one,),) = integrate(bert, walked, [[1]], {**ADAPTIVE, "delta_tolerance": 1e-12, "max_steps": most}, bert.from_embeddings)
        assert one.steps == most
        assert one.converged is False
