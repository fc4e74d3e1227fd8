"""The whole explain half against the bare attribution loop, and two Ray workers against one process, on one machine in one run.

    python tests/benchmarks/throughput.py [--json FILE] [--passages 12] [--ray-passages 8] [--longest 2400] [--texts FOLDER]

Passages of mixed length, from 40 characters to the longest, are cut from the Markdown passages of the gallery or from a folder of .txt files.
`throughput_share`: the bare loop tokenises, predicts, calls the default attribution methods, and holds them against words taken out in
their order and at random, keeping nothing; the pipeline is `explain_all` with the same settings, and attention and the heads' effects beside:
what it takes longer is these, the store, encoding and progress. bertviz is left out.
`ray_ratio`: the same passages through two Ray workers of one thread against this process in one thread, times
the cores there are for the two; the loading of the model and the start of the cluster are left out of both: throughput is taken
between the first and the last batch that ends, so it wants many passages. The digests of both stores are compared.
"""

import argparse
import hashlib
import json
import os
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from gallery.attribution.attribute import attribute
from gallery.config import Settings, trial_parameters
from gallery.evaluation.faithfulness import chance, faithfulness
from gallery.explain.plan import targets_of
from gallery.explain.run import explain_all
from gallery.methods import method_of
from gallery.model.classifier import Classifier
from gallery.model.loading import load_classifier
from gallery.passages.read import Passage, read_passages
from gallery.sources.resolve import resolve_model, resolve_tokenizer
from gallery.store.entries import Store

ROOT = Path(__file__).resolve().parents[2]


def texts_of(folder: Path | None) -> list[str]:
    """The texts that passages are cut from."""
    if folder is not None:
        return [path.read_text("utf-8", errors="replace") for path in sorted(folder.rglob("*.txt"))]
    return [passage.text for passage in read_passages(["site_src/passages"], ROOT) if isinstance(passage, Passage)]


def mixed(texts: Sequence[str], count: int, longest: int, seed: int = 0) -> Iterator[dict[str, str]]:
    """Rows of passages, their lengths spread evenly on a logarithmic scale."""
    chance = random.Random(seed)
    for number in range(count):
        length = round(40 * (longest / 40) ** chance.random())
        text = chance.choice(texts)
        while len(text) < length:
            text += "\n" + chance.choice(texts)
        start = chance.randrange(len(text) - length + 1)
        yield {"id": f"p{number}", "true_class": "0", "text": f"{text[start : start + length].strip() or 'Текст.'}"}


def bare(classifier: Classifier, rows: Sequence[Passage], settings: Settings) -> float:
    """Seconds for the attributions and their tests alone, one passage after the other as in the pipeline."""
    start = time.perf_counter()
    for passage in rows:
        tokenized = classifier.tokenize(passage.text)
        (prediction,) = classifier.predict([tokenized])
        targets = targets_of(prediction, (0,), 0.5)
        methods = {name: method_of(name) for name in settings.methods}
        attributions = {name: attribute(method, classifier, [tokenized], [targets], method.parameters(settings))[0] for name, method in methods.items()}
        tried = [attributions[method][targets.index(prediction.ranking[0])] for method in settings.methods]
        faithfulness(classifier, tokenized, tried, trial_parameters(settings, "faithfulness"))
        chance(classifier, tokenized, trial_parameters(settings, "chance"))
    return time.perf_counter() - start


def pipeline(settings: Settings, root: Path) -> tuple[float, float]:
    """Seconds of a whole run, and passages a second between its first and last."""
    ended: list[float] = []
    start = time.perf_counter()
    problems = explain_all(settings, root, lambda event, **values: ended.append(time.perf_counter()) if event == "passage" else None)
    assert not problems, problems
    return time.perf_counter() - start, (len(ended) - 1) / max(ended[-1] - ended[0], 1e-9)


def digest(store: Path) -> str:
    """One sum over every entry and the manifest."""
    total = hashlib.sha256((store / "manifest.jsonl").read_bytes())
    for kind, key in Store(store).entries():
        total.update(f"{kind}{key}".encode() + Store(store).path(kind, key).read_bytes())
    return total.hexdigest()


def overhead(settings: Settings, root: Path, rounds: int, table: Table) -> tuple[float, float]:
    """Seconds of bare and of whole, alternating; the model is loaded, once and untimed, before either."""
    model, tokenizer = resolve_model(settings.model, root), resolve_tokenizer(settings.model, root)
    classifier = load_classifier(model, tokenizer, settings)
    rows = [passage for passage in read_passages(settings.passages, root) if isinstance(passage, Passage)]
    bare(classifier, rows[:1], settings)
    loading = min(timed_loading(settings, root) for _ in range(2))
    alone, whole = [], []
    for number in range(rounds):
        alone.append(bare(classifier, rows, settings))
        whole.append(pipeline(settings.model_copy(update={"store": f"whole-{number}"}), root)[0] - loading)
    table.add_row("bare attribution loop", f"{min(alone):.1f} s", f"{len(rows) / min(alone):.3f}")
    table.add_row("explain_all", f"{min(whole):.1f} s", f"{len(rows) / min(whole):.3f}")
    return min(alone), min(whole)


def timed_loading(settings: Settings, root: Path) -> float:
    start = time.perf_counter()
    load_classifier(resolve_model(settings.model, root), resolve_tokenizer(settings.model, root), settings)
    return time.perf_counter() - start


def two_workers(settings: Settings, root: Path, table: Table) -> tuple[float, bool]:
    """Two Ray workers of one thread against as many processes like this one as there are cores, two at most."""
    import ray

    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    torch.set_num_threads(1)
    _, local = pipeline(settings.model_copy(update={"store": "local"}), root)
    with tempfile.TemporaryDirectory(prefix="ray-") as folder:
        ray.init(num_cpus=2, include_dashboard=False, _temp_dir=folder, logging_level="ERROR", log_to_driver=False)
        _, spread = pipeline(settings.model_copy(update={"store": "ray", "engine": "ray"}), root)
        ray.shutdown()
    cores = min(2, len(os.sched_getaffinity(0)))
    table.add_row("local, one thread", "", f"{local:.3f}")
    table.add_row(f"Ray, two workers of one thread on {cores} cores", "", f"{spread:.3f}")
    return spread / local / cores, digest(root / "local") == digest(root / "ray")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--passages", type=int, default=12)
    parser.add_argument("--ray-passages", type=int, default=8)
    parser.add_argument("--longest", type=int, default=2400, help="characters of the longest passages")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--classifier", type=Path, default=ROOT / "gallery" / "demo" / "classifier")
    options = parser.parse_args()
    console, table = Console(width=120), Table("", "time", "passages a second")
    settings = Settings(model=str(options.classifier.resolve()), passages=("many.jsonl",), bertviz_tokens=0)
    with tempfile.TemporaryDirectory(prefix="throughput-") as folder:
        root = Path(folder)
        table_of = root / "many.jsonl"
        rows = list(mixed(texts_of(options.texts), max(options.passages, options.ray_passages), options.longest))
        table_of.write_text("".join(json.dumps(row) + "\n" for row in rows[: options.passages]), "utf-8")
        alone, whole = overhead(settings, root, options.rounds, table)
        explained = {"passages": options.passages, "longest": options.longest, "bare_s": alone, "seconds": whole}
        figures: dict[str, object] = {"throughput_share": alone / whole, "explained": explained}
        if options.ray_passages:
            table_of.write_text("".join(json.dumps(row) + "\n" for row in rows[: options.ray_passages]), "utf-8")
            figures["ray_ratio"], figures["ray_same_digest"] = two_workers(settings, root, table)
    console.print(table)
    console.print_json(json.dumps(figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
