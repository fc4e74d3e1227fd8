"""Integrated gradients against Captum's, and decomposition beside both, on one machine in one run: speed, accuracy, faithfulness.

    python tests/benchmarks/attribution.py [--json FILE] [--classifier FOLDER] [--lengths 24 128 512] [--rounds 3]

Speed on a random model of ruBert-base's size (12 x 768, vocabulary 120,138) and on the demo classifier, accuracy and
faithfulness on the demo classifier over the gallery's passages. The notebook's call is Captum's LayerIntegratedGradients
with 50 steps and internal_batch_size=1. Runs of ours and theirs alternate; the matrix-multiply rate is measured between them.

A passage that is shorter than a length is continued with the passages behind it, so that no text of a timing repeats itself.
`one_pass_speedup_N` is the notebook's call over decomposition for one class, the lower of the two models; `one_pass_forward_N`
decomposition over one forward pass, `one_pass_classes_K` K classes over one. `naopc_*` is the mean normalised AOPC of a method
over the passages (0 the worst order of words that was tried, 1 the best), with its 95 % bootstrap interval, and
`naopc_difference` decomposition less integrated gradients on the same passages.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from captum.attr import LayerIntegratedGradients
from rich.console import Console
from rich.table import Table
from transformers import BertConfig, BertForSequenceClassification

from gallery.attribution.methods.decomposition import decomposition
from gallery.attribution.methods.integrated_gradients import integrated_gradients
from gallery.compat.torch import onednn_linear
from gallery.config import Settings, trial_parameters
from gallery.evaluation.faithfulness import chance, faithfulness
from gallery.evaluation.metrics import chance_measures
from gallery.methods import method_of
from gallery.model.classifier import Classifier
from gallery.model.fast_encoder import fast_encoder_of
from gallery.model.loading import load_classifier
from gallery.model.tokenized import Tokenized
from gallery.passages.read import Passage, read_passages
from gallery.passages.true_class import Classes, class_number
from gallery.sources.resolve import resolve_model, resolve_tokenizer
from gallery.store.records import Attribution, Model

ROOT = Path(__file__).resolve().parents[2]
ADAPTIVE = method_of("integrated_gradients").parameters(Settings())
NOTEBOOK = {**ADAPTIVE, "n_steps": 50}
CLASSES = (3, 12)
"""Classes that decomposition explains together, each number beside one."""
ONE_PASS = method_of("decomposition").parameters(Settings())
RESAMPLED = 10_000
"""Bootstrap samples of the passages."""


def multiply_rate() -> float:
    """GFLOP/s of one large float32 product, the better of oneDNN and the default library."""
    x, w = torch.randn(2048, 768), torch.randn(3072, 768)
    best = 0.0
    for product in (lambda: onednn_linear(x, w, None), lambda: torch.nn.functional.linear(x, w)):
        times = [timed(product) for _ in range(11)]
        best = max(best, 2 * x.shape[0] * x.shape[1] * w.shape[0] / 1e9 / statistics.median(times))
    return best


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def path_flops(classifier: Classifier, length: int, steps: int) -> float:
    """Multiplications and additions of the notebook's maths: every layer, forward and backward to the inputs."""
    hidden, layers = classifier.card.hidden, classifier.card.layers
    linear, mixing = 24 * length * hidden**2, 4 * length**2 * hidden
    return float(steps * layers * (2 * linear + 3 * mixing))


def random_model() -> Classifier:
    """A ruBert-base-sized classifier that was never trained."""
    torch.manual_seed(0)
    model = BertForSequenceClassification(BertConfig(vocab_size=120138, num_labels=40)).eval().requires_grad_(False)
    card = Model("random", "random", "", "", "bert", tuple(map(str, range(40))), 12, 12, 768, 512)
    tokenizer = SimpleNamespace(pad_token_id=0, mask_token_id=103)
    return Classifier(
        model,
        tokenizer,
        card,
        torch.device("cpu"),
        torch.float32,
        model.bert.embeddings,
        "bert.embeddings",
        Settings().batch_tokens,
        fast_encoder=fast_encoder_of(model)[0],
    )


def random_passage(length: int, seed: int) -> Tokenized:
    """A passage of random tokens, each a word."""
    ids = [101, *np.random.default_rng(seed).integers(1000, 120138, length - 2).tolist(), 102]
    words = tuple((i, i + 1) for i in range(length - 2))
    special = (True, *[False] * (length - 2), True)
    return Tokenized("x" * length, tuple(ids), ("x",) * length, ((0, 0), *words, (0, 0)), special, words, (-1, *range(length - 2), -1), length)


def notebook(classifier: Classifier, tokenized: Tokenized, target: int, steps: int = 50) -> np.ndarray:
    """The notebook's own call."""
    ids, start = torch.tensor([tokenized.ids]), torch.tensor([classifier.baseline_ids(tokenized, "pad")])
    explainer = LayerIntegratedGradients(lambda rows: classifier.model(rows).logits, classifier.layer)
    classifier.model.requires_grad_(True)
    try:
        return explainer.attribute(ids, start, target=target, n_steps=steps, internal_batch_size=1).sum(-1)[0].detach().double().numpy()
    finally:
        classifier.model.requires_grad_(False)


def ours(classifier: Classifier, tokenized: Tokenized, targets: Sequence[int], parameters: dict[str, object]) -> list[Attribution]:
    return integrated_gradients(classifier, [tokenized], [targets], parameters)[0]


def one_pass(classifier: Classifier, tokenized: Tokenized, targets: Sequence[int]) -> list[Attribution]:
    return decomposition(classifier, [tokenized], [targets], ONE_PASS)[0]


def cut(classifier: Classifier, texts: Sequence[str], first: int, length: int) -> Tokenized:
    """A passage of `length` tokens: the text `first`, continued with the texts behind it where it is shorter.

    Raises ValueError where all texts together are shorter.
    """
    text, following = texts[first], [*texts[first + 1 :], *texts[:first]]
    while len(classifier.tokenize(text).ids) < length:
        if not following:
            raise ValueError(f"all passages together have fewer than {length} tokens")
        text += "\n\n" + following.pop(0)
    offsets = classifier.tokenize(text).offsets
    return classifier.tokenize(text[: offsets[length - 2][1]])


def speed(classifier: Classifier, name: str, passages: dict[int, list[tuple[Tokenized, int]]], rounds: int, table: Table) -> dict[str, float]:
    """Time the notebook's call, the same nodes in ours, and ours to the tolerance; all passages of each length, alternating."""
    figures: dict[str, float] = {}
    for length, chosen in passages.items():
        theirs, same, adaptive, steps, rates, errors = [], [], [], [], [], []
        single, forward, classes = [], [], {count: [] for count in CLASSES if count <= len(classifier.card.labels)}
        ours(classifier, chosen[0][0], [chosen[0][1]], {**ADAPTIVE, "n_steps": 2})
        one_pass(classifier, chosen[0][0], [chosen[0][1]])
        for tokenized, target in (chosen * rounds)[: max(rounds, len(chosen))]:
            rates.append(multiply_rate())
            if len(theirs) < rounds:
                found: list[np.ndarray] = []
                theirs.append(timed(lambda e=tokenized, t=target, f=found: f.append(notebook(classifier, e, t))))
                result: list[Attribution] = []
                same.append(timed(lambda e=tokenized, t=target, r=result: r.extend(ours(classifier, e, [t], NOTEBOOK))))
                errors.append(np.abs(result[0].tokens - found[0]).max() / np.abs(found[0]).max())
            rates.append(multiply_rate())
            outcome: list[Attribution] = []
            adaptive.append(timed(lambda e=tokenized, t=target, r=outcome: r.extend(ours(classifier, e, [t], ADAPTIVE))))
            steps.append(outcome[0].steps)
            forward.append(timed(lambda e=tokenized: classifier.logits([e.ids])))
            single.append(timed(lambda e=tokenized, t=target: one_pass(classifier, e, [t])))
            for count, times in classes.items():
                times.append(timed(lambda e=tokenized, n=count: one_pass(classifier, e, range(n))))
        ceiling = statistics.median(rates)
        base, mine, quick = (statistics.median(times) for times in (theirs, same, adaptive))
        work = path_flops(classifier, length, 50) / 1e9
        once = statistics.median(single)
        figures |= {f"efficiency_{length}": work / mine / ceiling, f"same_{length}": base / mine, f"tolerance_{length}": base / quick}
        figures |= {f"one_pass_{length}": base / once, f"forward_{length}": once / statistics.median(forward)}
        figures |= {f"classes_{length}_{count}": statistics.median(times) / once for count, times in classes.items()}
        table.add_row(
            name,
            str(length),
            f"{ceiling:.0f}",
            f"{base:.2f}",
            f"{mine:.2f}",
            f"{base / mine:.2f}x",
            f"{work / mine:.0f}",
            f"{work / mine / ceiling:.2f}",
            f"{max(errors):.0e}",
            f"{quick:.2f}",
            f"{statistics.median(steps):.0f} ({min(steps)}-{max(steps)})",
            f"{base / quick:.2f}x",
            f"{once:.3f}",
            f"{base / once:.1f}x",
        )
    return figures


def accuracy(classifier: Classifier, passages: Sequence[tuple[Tokenized, list[int]]], nodes: int, console: Console) -> tuple[float, float]:
    """Return the worst error of an attribution against a reference, as a share of the largest, and the share of converged explanations."""
    worst, fine, steps = [], [], []
    for tokenized, targets in passages:
        found = ours(classifier, tokenized, targets, ADAPTIVE)
        reference = ours(classifier, tokenized, targets, {**ADAPTIVE, "n_steps": nodes})
        for one, true in zip(found, reference, strict=True):
            error = float(np.abs(one.tokens - true.tokens).max() / np.abs(true.tokens).max())
            worst.append(error)
            fine.append(bool(one.converged) and (one.delta_share or 0) <= 0.01)
            steps.append(one.steps)
            if error > 0.03 or not fine[-1]:
                console.print(f"  {tokenized.text[:40]!r}, class {one.target}: error {error:.3f}, delta {one.delta_share:.4f}, {one.steps} steps")
    console.print(
        f"{len(worst)} attributions against {nodes} nodes: median error {statistics.median(worst):.4f}, worst {max(worst):.4f}, "
        f"steps {min(steps)} to {max(steps)}, median {statistics.median(steps):.0f}"
    )
    return max(worst), sum(fine) / len(fine)


def truth(classifier: Classifier, passages: Sequence[Tokenized], console: Console) -> dict[str, float]:
    """Return the mean normalised AOPC of decomposition and of integrated gradients for the predicted class, with bootstrap intervals."""
    tried, control = trial_parameters(Settings(), "faithfulness"), trial_parameters(Settings(), "chance")
    values = []
    for tokenized in passages:
        predicted = int(classifier.logits([tokenized.ids])[0].argmax())
        rivals = [one_pass(classifier, tokenized, [predicted])[0], ours(classifier, tokenized, [predicted], ADAPTIVE)[0]]
        trials = faithfulness(classifier, tokenized, rivals, tried)
        random = chance_measures(chance(classifier, tokenized, control), predicted)["aopc_comprehensiveness"].tolist()
        own = [trial.measures["aopc_comprehensiveness"] for trial in trials]
        every = [*own, *(trial.measures["aopc_reverse"] for trial in trials), *random]
        if max(every) > min(every):
            values.append([(value - min(every)) / (max(every) - min(every)) for value in own])
    scores = np.array(values)
    columns = {"decomposition": scores[:, 0], "integrated_gradients": scores[:, 1], "difference": scores[:, 0] - scores[:, 1]}
    drawn = np.random.default_rng(0).integers(len(scores), size=(RESAMPLED, len(scores)))
    figures = {}
    for name, column in columns.items():
        low, high = np.percentile(column[drawn].mean(1), [2.5, 97.5])
        figures |= {f"naopc_{name}": float(column.mean()), f"naopc_{name}_low": float(low), f"naopc_{name}_high": float(high)}
        console.print(f"normalised AOPC, {name}: {column.mean():.3f} ({low:.3f} to {high:.3f}), {len(scores)} passages")
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--classifier", default="gallery/demo/classifier")
    parser.add_argument("--lengths", type=int, nargs="+", default=[24, 128, 512])
    parser.add_argument("--rounds", type=int, default=3, help="runs of the notebook's call at each length")
    parser.add_argument("--timed-passages", type=int, default=9, help="passages ours is timed on at each length")
    parser.add_argument("--reference", type=int, default=2000, help="nodes of the reference for excerpts of 24 tokens")
    parser.add_argument("--full-reference", type=int, default=200, help="nodes of the reference for whole passages")
    parser.add_argument("--whole", type=int, help="whole passages held against it, of all lengths; every one if not given")
    parser.add_argument("--skip", nargs="*", default=[], choices=["big", "demo", "accuracy", "faithfulness"])
    options = parser.parse_args()
    console = Console(width=180)
    table = Table(title="50 steps, and as many as the tolerance asks for; seconds, one target")
    for heading in (
        "model",
        "tokens",
        "ceiling",
        "notebook",
        "ours, same nodes",
        "",
        "GFLOP/s",
        "share",
        "differ",
        "to tolerance",
        "steps",
        "",
        "one pass",
        "",
    ):
        table.add_column(heading, justify="right")
    figures: dict[str, float] = {}
    speeds: list[dict[str, float]] = []
    if "big" not in options.skip:
        big = random_model()
        speeds.append(speed(big, "random 12x768", {n: [(random_passage(n, seed), 7) for seed in range(3)] for n in options.lengths}, options.rounds, table))
        one, three = [], []
        for seed in range(options.rounds):
            passage = random_passage(128, seed)
            one.append(timed(lambda p=passage: ours(big, p, [7], NOTEBOOK)))
            three.append(timed(lambda p=passage: ours(big, p, [7, 8, 9], NOTEBOOK)))
        figures["three_targets_cost"] = statistics.median(three) / statistics.median(one)
        for length in options.lengths:
            figures |= {f"same_nodes_efficiency_{length}": speeds[0][f"efficiency_{length}"], f"same_nodes_speedup_{length}": speeds[0][f"same_{length}"]}
        del big
    if {"demo", "accuracy", "faithfulness"} - set(options.skip):
        demo = load_classifier(resolve_model(options.classifier, ROOT), resolve_tokenizer(options.classifier, ROOT), Settings())
        chosen = [passage for passage in read_passages(("site_src/passages",), ROOT) if isinstance(passage, Passage)]
        true = [class_number(passage, Classes(demo.card.labels)) for passage in chosen]
        texts = [passage.text for passage in chosen]
    if "demo" not in options.skip:
        some = range(0, len(chosen), max(1, len(chosen) // options.timed_passages))
        speeds.append(speed(demo, "demo", {n: [(cut(demo, texts, k, n), true[k]) for k in some] for n in options.lengths}, options.rounds, table))
    console.print(table)
    for length in options.lengths if speeds else []:
        figures[f"tolerance_speedup_{length}"] = min(found[f"tolerance_{length}"] for found in speeds)
        figures[f"one_pass_speedup_{length}"] = min(found[f"one_pass_{length}"] for found in speeds)
        figures[f"one_pass_forward_{length}"] = max(found[f"forward_{length}"] for found in speeds)
    for count in CLASSES if speeds else ():
        figures[f"one_pass_classes_{count}"] = max(found[f"classes_{length}_{count}"] for found in speeds for length in options.lengths)
    if "three_targets_cost" in figures:
        console.print(f"three targets cost {figures['three_targets_cost']:.2f} times one, 128 tokens, random 12x768")
    if "accuracy" not in options.skip:
        whole = []
        for passage, target in zip(chosen, true, strict=True):
            tokenized = demo.tokenize(passage.text)
            ranking = demo.logits([tokenized.ids])[0].argsort(descending=True).tolist()
            whole.append((tokenized, list(dict.fromkeys([target, *ranking[:2]]))))
        whole = sorted(whole, key=lambda one: len(one[0].ids))[:: len(whole) // options.whole] if options.whole else whole
        excerpts = [(cut(demo, texts, k, 24), [target]) for k, target in enumerate(true)]
        short, _ = accuracy(demo, excerpts, options.reference, console)
        long, share = accuracy(demo, whole, options.full_reference, console)
        figures |= {"tolerance_worst_error": max(short, long), "delta_ok_share": share}
    if "faithfulness" not in options.skip:
        figures |= truth(demo, [demo.tokenize(text) for text in texts[: options.whole]], console)
    console.print_json(json.dumps(figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
