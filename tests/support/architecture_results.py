"""Every architecture through the whole pipeline, held against transformers and Captum; docs/architectures.md lists what came out.

Run: python -m tests.support.architecture_results
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from captum.attr import IntegratedGradients, LayerIntegratedGradients
from transformers import AutoModelForSequenceClassification, pipeline

from gallery.attention.encoding import Reader, attention_files
from gallery.compat.transformers import be_quiet
from gallery.config import load_settings
from gallery.explain.run import explain_all
from gallery.model.classifier import Classifier
from gallery.model.loading import load_classifier
from gallery.site.entries import read_records
from gallery.site.pages.attention_carried import carried_by
from gallery.site.pages.passage import addresses_within, passage_fragment
from gallery.site.passage_input import passage_input
from gallery.site.publication import read_publication
from gallery.sources.resolve import resolve_model, resolve_tokenizer
from gallery.store.entries import Store
from gallery.store.manifest import read_header, read_rows
from gallery.store.records import Array, Attention, Heads
from tests.support.architectures import ARCHITECTURES, save_architecture
from tests.support.fetching import ROOT
from tests.support.models import LABELS

PAGE = ROOT / "docs" / "architectures.md"
STEPS = 8
TEXT = "Свой человек пришёл домой поздно вечером, и никто его не ждал."
_CONFIG = f"""site_name: Check
theme: {{name: material, language: en, font: false}}
extra:
  gallery: {{model: model, passages: [p], device: cpu, n_steps: {STEPS}, random_orders: 1, bertviz_tokens: 8, attention: {{precision: exact}},
    methods: [integrated_gradients, attention_rollout]}}
"""


@dataclass(frozen=True)
class Outcome:
    """What the gallery says of one passage, and how far it is from what transformers and Captum say."""

    probabilities: float
    """Largest difference from those of transformers' own pipeline."""
    attributions: float
    """Largest difference from Captum's integrated gradients, as a share of the largest."""
    empty: float
    """Difference between the probability of the empty text at the start of integrated gradients and at the end of the deletion curve."""
    encoding: dict[str, Any]
    """`Attention.encoding`."""
    weights: float | None
    """Largest difference from the attention weights of a model loaded with eager attention; None where the page shows none."""
    effects: bool
    """Whether the effects of heads are known."""
    page: str
    """The passage's page."""


@cache
def outcome(name: str) -> Outcome:
    """Explain a passage by a tiny classifier of an architecture, and compare."""
    be_quiet()
    with tempfile.TemporaryDirectory() as folder:
        return _outcome(Path(folder), name)


def _outcome(root: Path, name: str) -> Outcome:
    save_architecture(root / "model", name)
    (root / "p").mkdir()
    (root / "p" / "one.md").write_text(f"---\nid: one\ntrue_class: {LABELS[0]}\ntitle: One\n---\n{TEXT}\n", "utf-8")
    (root / "mkdocs.yml").write_text(_CONFIG, "utf-8")
    settings = load_settings(root / "mkdocs.yml")
    problems = explain_all(settings, root)
    assert not problems, problems
    store = Store(root / "store")
    header, (row,) = read_header(store), read_rows(store)
    passage = passage_input(read_publication(root / "mkdocs.yml"), header, row, read_records(store, row))
    carried = carried_by(settings, header.model.attending)
    page = passage_fragment(passage, carried, addresses_within("one", carried))
    scores = {answer["label"]: answer["score"] for answer in pipeline("text-classification", model=str(root / "model"), device="cpu")(TEXT, top_k=None)}
    attention, heads, main = passage.first(Attention), passage.first(Heads), passage.attributions["integrated_gradients", passage.predicted]
    assert attention is not None
    assert heads is not None
    source = str(root / "model")
    classifier = load_classifier(resolve_model(source, root), resolve_tokenizer(source, root), settings)
    theirs = captum(classifier, passage.prediction.text, passage.predicted)[: len(main.tokens)]  # Longformer adds pads of its own
    deletion = next(record.deletion for record in passage.records.values() if record.kind == "faithfulness" and record.method == "integrated_gradients")
    return Outcome(
        probabilities=max(abs(scores[label] - probability) for label, probability in zip(header.model.labels, passage.prediction.probabilities, strict=True)),
        attributions=float(np.abs(main.tokens - theirs).max() / np.abs(theirs).max()),
        empty=abs(float(deletion[-1] - _erased(passage, classifier))),
        encoding=attention.encoding,
        weights=_distance(root, classifier, passage.prediction, attention) if attention.shown else None,
        effects=bool(heads.effects.size),
        page=str(page),
    )


def _erased(passage: Any, classifier: Classifier) -> float:
    """Return the probability of the text without words, as integrated gradients have it if they start at the token that erases."""
    from gallery.attribution.attribute import attribute
    from gallery.methods import method_of

    method = method_of("integrated_gradients")
    parameters = {**passage.attributions["integrated_gradients", passage.predicted].parameters, "baseline": "mask"}
    ((one,),) = attribute(method, classifier, [classifier.tokenize(passage.prediction.text)], [[passage.predicted]], parameters)
    return float(one.baseline_probabilities[passage.predicted])


def captum(classifier: Classifier, text: str, target: int) -> Array:
    """Return Captum's integrated gradients [T] from the empty text of pads, at the layer that the gallery explains."""
    coded = classifier.tokenizer(text, return_special_tokens_mask=True, return_tensors="pt")
    ids, special = coded.pop("input_ids"), coded.pop("special_tokens_mask").bool()
    empty = torch.where(special, ids, classifier.tokenizer.pad_token_id)
    model, steps = classifier.model, {"target": target, "n_steps": STEPS, "internal_batch_size": 1}
    if classifier.card.cross or classifier.card.architecture == "xlnet":
        embed = model.get_input_embeddings()
        run = _seq2seq(model, embed) if classifier.card.cross else lambda states: model(inputs_embeds=states, **coded).logits
        parts = IntegratedGradients(run).attribute(embed(ids).detach(), embed(empty).detach(), **steps)
    else:
        parts = LayerIntegratedGradients(lambda rows: model(rows, **coded).logits, classifier.layer).attribute(ids, empty, **steps)
    result: Array = parts.sum(-1)[0].double().numpy()
    return result


def _seq2seq(model: Any, embed: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a function of the embeddings of a text, which the decoder reads too, behind its start token; its head reads the last token."""
    start = embed(torch.tensor([[model.config.decoder_start_token_id]])).detach()

    def run(states: torch.Tensor) -> torch.Tensor:
        hidden = model.base_model(inputs_embeds=states, decoder_inputs_embeds=torch.cat([start, states[:, :-1]], 1)).last_hidden_state
        logits: torch.Tensor = model.classification_head(hidden[:, -1])
        return logits

    return run


def _distance(root: Path, classifier: Classifier, prediction: Any, attention: Attention) -> float:
    model = AutoModelForSequenceClassification.from_pretrained(root / "model", attn_implementation="eager").eval()
    coded = classifier.tokenizer(prediction.text, return_tensors="pt")
    with torch.no_grad():
        model(**coded)  # BigBird replaces its layers in the first pass, and returns no weights of it
        outputs = model(**coded, output_attentions=True)
    theirs = (*outputs.encoder_attentions, *outputs.cross_attentions) if classifier.card.cross else outputs.attentions
    reader = Reader(attention_files(prediction, attention))
    return max(float(np.abs(reader.weights(layer) - weights[0].numpy()).max()) for layer, weights in enumerate(theirs))


_ABSENT = {
    "none": "none: it has no attention",
    "pairs": "none: no weight for each pair of tokens",
    "differs": "none: eager attention gives other logits",
    "fails": "none: eager attention fails",
}


def page(names: Sequence[str] = tuple(ARCHITECTURES)) -> str:
    """Return docs/architectures.md."""
    rows = []
    for name in names:
        found = outcome(name)
        kind = found.encoding["kind"]
        shown = _ABSENT[found.encoding["why"]] if kind == "none" else {"products": "queries and keys", "weights": "weights"}[kind]
        further = [*(["causal"] if found.encoding.get("causal") else []), *(["encoder, then cross-attention"] if found.encoding.get("parts") else [])]
        rows.append(f"| `{name}` | {', '.join([shown, *further])} | {'yes' if found.effects else 'no'} |")
    return (
        "<!-- Written by tests/support/architecture_results.py from a run of every architecture; do not edit. -->\n"
        "# Architectures\n\n"
        f"The tests take a tiny random classifier of each of these {len(rows)} architectures through the whole pipeline, each with a tokenizer in the\n"
        "manner of its family. Probabilities are those of transformers’ own pipeline, and integrated gradients those of Captum, both to 1e-4. Attention\n"
        "is that of transformers’ eager attention: to 0.002 where queries and keys are stored (`attention.precision: exact`), to 0.005 where weights are.\n"
        "Where the page shows no attention, it says why. An architecture that is not listed is tried in the same way when it is loaded: the gallery\n"
        "refuses a model that does not run, or whose logits differ from one pass to the next.\n\n"
        "| `model_type` | attention on the page | effects of heads |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    )


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
