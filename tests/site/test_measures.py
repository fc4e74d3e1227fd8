"""The methods over the whole gallery: medians, quartiles, and what the page says of them."""

import json
import re
from dataclasses import asdict

import numpy as np
import pytest

from gallery.evaluation.faithfulness import SHARES
from gallery.evaluation.metrics import aopc, area
from gallery.methods import own_methods
from gallery.site.language import language
from gallery.site.pages import measures as m  # pytest would take its `tested` for a test
from gallery.site.pages.method_table import method_table
from gallery.site.pages.methods import measures_fragment, sanity_fragment
from gallery.store.records import Attribution, Chance, Faithfulness, Record, Sanity

METHODS = ("integrated_gradients", "gradient_norm")
FALL = np.array([0.9, 0.8, 0.5, 0.3, 0.2, 0.1, 0.1])


def attribution(method: str, words: list[float], delta: float | None) -> Attribution:
    values = np.array(words)
    baseline = None if delta is None else 0.0
    return Attribution(method, 1, {}, values, values, "logit", 2.0, baseline, delta, None, 1, np.zeros(0), {})


def trial(method: str, deletion: np.ndarray) -> Faithfulness:
    shares, insertion = np.array(SHARES), deletion[::-1]
    figures = {
        "aopc_comprehensiveness": float(aopc(deletion[0], deletion)),
        "aopc_sufficiency": float(aopc(deletion[0], insertion)),
        "deletion_area": float(area(shares, deletion)),
        "insertion_area": float(area(shares, insertion)),
        "aopc_reverse": 0.05,
    }
    return Faithfulness(method, 1, {}, shares, deletion, insertion, figures, {})


def passage(shift: float) -> m.Tested:
    """A passage on which the first method does better than chance and the second worse; `shift` is what the first one loses more."""
    slow = np.linspace(0.9, 0.1, 7)
    worse = np.array([0.9, 0.9, 0.9, 0.9, 0.9, 0.5, 0.1])
    control = np.repeat(np.stack([slow, slow + 0.01])[..., None], 3, axis=2)
    records: dict[str, Record] = {
        "attribution/integrated_gradients/1": attribution(METHODS[0], [3.0, 2.0, 1.0], shift),
        "attribution/gradient_norm/1": attribution(METHODS[1], [1.0, 2.0, 3.0], None),
        "faithfulness/integrated_gradients/1": trial(METHODS[0], FALL - [0, shift, shift, 0, 0, 0, 0]),
        "faithfulness/gradient_norm/1": trial(METHODS[1], worse),
        "chance": Chance({}, np.array(SHARES), control, control, {}),
        "sanity/gradient_norm/1": Sanity(METHODS[1], 1, {}, ("nothing", "classifier", "embeddings"), np.array([1.0, 0.5, shift]), {}),
    }
    return m.tested(METHODS, 1, records)


def test_median_and_quartiles_are_over_the_passages() -> None:
    found = m.overview(METHODS, [passage(shift) for shift in (0.0, 0.1, 0.2, 0.3, 0.4)])
    ours, theirs = found.methods
    spread = ours.figures["aopc_comprehensiveness"]
    alone = [aopc(FALL[0], FALL - np.array([0, shift, shift, 0, 0, 0, 0])) for shift in (0.1, 0.2, 0.3)]
    assert spread is not None
    assert (spread.low, spread.median, spread.high) == pytest.approx(tuple(float(value) for value in alone), abs=1e-5)
    assert theirs.figures["delta"] is None
    assert (ours.better, theirs.better, ours.passages) == (5, 0, 5)
    assert found.best == ours
    assert ours.deletion[1].tolist() == pytest.approx((FALL - np.array([0, 0.2, 0.2, 0, 0, 0, 0])).tolist(), abs=1e-5)
    assert found.tau[0, 1].median == pytest.approx(-1)
    assert found.overlap[0, 1].median == 1


def test_figures_outlive_their_build_as_json() -> None:
    one = passage(0.1)
    assert m.Tested(**json.loads(json.dumps(asdict(one)))) == one


@pytest.mark.parametrize("code", ["ru", "en"])
def test_the_table_of_methods_is_that_of_the_declarations(code: str) -> None:
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", method_table(code))[: len(own_methods())]
    for row, method in zip(rows, own_methods(), strict=True):
        words = language(code).gettext
        cells = re.findall(r"<td>(.*?)</td>", row)
        assert f"{words(method.title)} <small><code>{method.name}</code></small>" in row
        assert cells[:3] == [words(method.question), *(words("yes" if value else "no") for value in (method.signed, method.complete))]
        assert re.sub("</?code>", "`", cells[3]) == words(method.forward)
        assert re.sub("</?code>", "`", cells[4]) == words(method.backward)


def test_a_gallery_without_trials_has_errors_and_agreement_alone() -> None:
    one = m.tested(METHODS, 1, {"attribution/integrated_gradients/1": attribution(METHODS[0], [3.0, 2.0, 1.0], 0.01)})
    found = m.overview(METHODS, [one])
    assert found.chance is None
    assert found.best is None
    assert found.methods[0].figures["delta"] is not None
    assert "random_orders is 0" in measures_fragment("en", METHODS, found, 1)
    assert "No passage has been explained" in measures_fragment("en", METHODS, m.overview(METHODS, []), 0)


def test_the_page_puts_each_method_beside_chance() -> None:
    html = measures_fragment("en", METHODS, m.overview(METHODS, [passage(shift) for shift in (0.0, 0.1, 0.2)]), 3)
    assert "Most is lost with the words of integrated gradients" in html
    assert "costs more than chance on 3 of 3" in html
    assert "costs more than chance on 0 of 3" in html
    assert "random words" in html


def test_the_page_says_which_method_notices_that_the_model_has_forgotten() -> None:
    tests = [passage(shift) for shift in (0.1, 0.2, 0.3)]
    (row,) = m.forgetting(METHODS, tests)
    assert row.method == "gradient_norm"
    assert row.curve.tolist() == [[1.0, 0.5, 0.1], [1.0, 0.5, 0.2], [1.0, 0.5, 0.3]]
    html = sanity_fragment("en", [row])
    assert "on 3 passages" in html
    assert "+0.20" in html
    assert "gallery sanity" in sanity_fragment("en", [])
