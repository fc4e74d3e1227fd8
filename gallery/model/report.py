"""What a model is and whether it can be explained, in lines for a terminal, before anything is explained."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from gallery.config import Settings
from gallery.errors import ConfigError, GalleryError, reason
from gallery.model.loading import load_classifier
from gallery.model.vocabulary import check_passage, unknown_letters, unknown_pieces
from gallery.passages.read import Passage, passage_paths, read_passages
from gallery.sources.resolve import resolve_model, resolve_tokenizer

_LISTED = 12
"""At most so many classes or weights are listed by name."""
_MEANING = {
    "single_label": "one of each text (softmax)",
    "multi_label": "each judged by itself (sigmoid); a text has all from {threshold:.0%} on",
    "one_logit": "told apart by one output (sigmoid)",
}
_SENTENCE = "The night was quiet, and nobody came to the old door."


def describe_model(settings: Settings, config_file: Path) -> tuple[list[str], list[str]]:
    """Return lines about the configured model, its tokenizer and how it reads the passages, and messages for what stands in the way.

    Loads the weights, and runs one text through the model and every passage through the tokenizer; computes no explanation. There may be no
    `config_file`, and so no passages. Raises SourceError where the model cannot be loaded.
    """
    root = config_file.parent
    model = resolve_model(settings.model, root)
    tokenizer = resolve_tokenizer(settings.tokenizer or settings.model, root)
    classifier = load_classifier(model, tokenizer, settings)
    card = classifier.card
    used, count = card.weights_used or (0, 0)
    lines = [
        f"Model      {model.resolved}: {card.loaded}, {used} of {count} weights used",
        f"Classes    {len(card.labels)}, {_MEANING[card.problem].format(threshold=card.threshold)}: {_listed(card.labels)}",
        f"Size       {card.layers} layers × {card.heads} heads, width {card.hidden}; passages of up to {card.max_tokens:,} tokens",
        f"Tokenizer  {tokenizer.resolved}: {len(classifier.tokenizer):,} tokens; {unknown_letters(classifier.tokenizer):.0%} of letters unknown",
    ]
    problems: list[str] = []
    embedded = len(classifier.model.get_input_embeddings().weight)
    text, read, longer, shares = _SENTENCE, 0, 0, [0.0]
    for passage in _passages(settings, config_file):
        tokenized = classifier.tokenize(passage.text)
        read, text = read + 1, passage.text
        longer += bool(tokenized.windows) or tokenized.cut < len(passage.text)
        shares.append(unknown_pieces(classifier.tokenizer, tokenized))
        try:
            if warning := check_passage(classifier.tokenizer, tokenized, embedded):
                lines.append(f"           {passage.origin}: {passage.id}: {warning}")
        except RuntimeError as error:
            problems.append(f"{passage.origin}: {passage.id} cannot be explained: {error}.")
    if read:
        lines.append(f"Passages   {read:,}, {longer:,} of them longer than the model’s input; at most {max(shares):.0%} of a passage’s pieces unknown")
    try:
        [prediction] = classifier.predict([classifier.tokenize(text)])
        said = ", ".join(f"{card.labels[number]} {prediction.probabilities[number]:.1%}" for number in prediction.ranking[:3])
        lines.append(f"It says    {said}, of: {text[:60].strip()!r}")
    except GalleryError:
        raise
    except Exception as error:  # whatever a model raises on its first text
        problems.append(f"{model.name}: the model does not run: {reason(error, line=0)}.")
    lines += [f"Note       {note}" for note in dict.fromkeys([*model.notes, *tokenizer.notes, *classifier.notes])]
    return lines, problems


def _passages(settings: Settings, config_file: Path) -> Iterator[Passage]:
    """Yield the passages that can be read; what is wrong with the others is said when they are explained."""
    if not config_file.exists():
        return
    texts = config_file.parent / settings.texts if settings.texts else None
    with suppress(ConfigError):
        yield from (passage for passage in read_passages(passage_paths(settings), config_file.parent, texts) if isinstance(passage, Passage))


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:_LISTED]) + (f", … ({len(names) - _LISTED} more)" if len(names) > _LISTED else "")
