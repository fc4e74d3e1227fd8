"""Compares the demo classifier with linear models on works that none has seen.

    python tests/benchmarks/classifier.py --corpus DIR --table CSV [--crops N ...] [--features characters pairs] [--write]

The linear models are a TF-IDF of character 2-4-grams, or of pieces and pairs of pieces with names unknown, with a
linear SVM, trained on crops of 254 tokens drawn as for the classifier. All are measured on the same crops.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC
from tokenizers import Tokenizer

from gallery.training.corpus import AUTHORS, Work, read_corpus
from gallery.training.crops import Crop, Sampler, fixed_crops
from gallery.training.evaluation import LENGTHS, best_temperature, figures
from gallery.training.evidence import decide, fit

CLASSIFIER = Path(__file__).parents[2] / "gallery" / "demo" / "classifier"


def linear_figures(works: list[Work], tokenizer: Tokenizer, crops: int, test_crops: int, features: str) -> dict[str, Any]:
    """Return the figures of the linear model by length; its decision values are made probabilities on dev."""
    sides = {role: [work for work in works if work.role == role] for role in ("train", "dev", "test")}
    sampler = Sampler(sides["train"], len(AUTHORS), seed=2)

    def texts(chosen: list[Crop]) -> list[str]:
        return [tokenizer.normalizer.normalize_str(crop.text()) for crop in chosen]

    drawn = [sampler.crop(author, 254) for author in range(len(AUTHORS)) for _ in range(crops)]
    labels = np.array([crop.work.author for crop in drawn])
    if features == "pairs":
        vocabulary = tokenizer.get_vocab_size()
        expert = fit([crop.masked() for crop in drawn], labels, vocabulary, pairs=True)

        def values_of(chosen: list[Crop]) -> np.ndarray:
            return decide(expert, [crop.masked() for crop in chosen], vocabulary)
    else:
        vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(2, 4), lowercase=False, sublinear_tf=True, min_df=3, max_features=300_000)
        model = LinearSVC(C=0.5, random_state=0).fit(vectorizer.fit_transform(texts(drawn)), labels)

        def values_of(chosen: list[Crop]) -> np.ndarray:
            return model.decision_function(vectorizer.transform(texts(chosen))).astype(np.float32)

    def measured(side: str, length: int, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        chosen = fixed_crops(sides[side], len(AUTHORS), number, length - 2)
        return torch.from_numpy(values_of(chosen)), torch.tensor([crop.work.author for crop in chosen])

    temperature = best_temperature([measured("dev", length, max(1, test_crops // 2)) for length in LENGTHS])
    found = {}
    for length in LENGTHS:
        values, truth = measured("test", length, test_crops)
        found[str(length)] = figures(values / temperature, truth)
    return {
        "model": {"characters": "character 2-4-gram TF-IDF, linear SVM", "pairs": "pieces and pairs of pieces, linear SVM"}[features],
        "crops_per_author": crops,
        "lengths": found,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of <Author>/<work>.txt")
    parser.add_argument("--table", type=Path, required=True, help="CSV of author, work, role")
    parser.add_argument("--classifier", type=Path, default=CLASSIFIER)
    parser.add_argument("--crops", type=int, nargs="+", default=[300], help="training crops an author, one run each")
    parser.add_argument("--features", nargs="+", default=["characters"], choices=["characters", "pairs"])
    parser.add_argument("--write", action="store_true", help="keep the figures in the classifier's figures.json")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    path = options.classifier / "figures.json"
    ours = json.loads(path.read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_file(str(options.classifier / "tokenizer.json"))
    works = read_corpus(options.corpus, options.table, tokenizer, AUTHORS, folds=1)
    test_crops = ours["lengths"]["256"]["crops"] // len(AUTHORS)
    linear = [linear_figures(works, tokenizer, crops, test_crops, features) for features in options.features for crops in options.crops]
    print(f"{'':34}" + "".join(f"{length:>10} tokens top-1/top-3/F1/ECE" for length in LENGTHS))
    for title, found in [("classifier", ours)] + [(f"{x['model'].split(' ')[0]}, {x['crops_per_author']} crops", x) for x in linear]:
        cells = ["/".join(f"{found['lengths'][str(n)][k]:.3f}" for k in ("top1", "top3", "macro_f1", "ece")) for n in LENGTHS]
        print(f"{title:34}" + "".join(f"{cell:>35}" for cell in cells))
    if options.json:
        options.json.write_text(json.dumps({"classifier": ours, "linear": linear}, ensure_ascii=False), encoding="utf-8")
    if options.write:
        path.write_text(json.dumps(ours | {"linear": linear}, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
