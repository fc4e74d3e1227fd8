"""Typography that the edition decides and not the author, taken out by the tokenizer itself."""

import json
from pathlib import Path
from typing import Any

#: (pattern, replacement) steps before the tokenizer's own normaliser. A single character stands for a single
#: character wherever it can: what a longer replacement inserts has no place of its own in the original text.
TYPOGRAPHY = [
    # Soft hyphens, zero-width marks, stress accents, the diaeresis of a decomposed ё, emphasis marks.
    ("[\u00ad\u200b\u200c\u200d\ufeff\u0300\u0301\u0308*_]", ""),
    ("ё", "е"),
    ("Ё", "Е"),
    ("[«»„“”‟″]", '"'),
    ("[‘’‚‛′`´]", "'"),
    ("…", "..."),
    (r"\.{4,}", "..."),
    (r"\s+", " "),
    # Every dash, and a hyphen that stands alone; the hyphen inside a word stays.
    ("[–―−‒]|--+|(?<![^ ])-(?![^ ])", "—"),
    (" {2,}", " "),
]


def normalise_typography(source: Path, target: Path) -> None:
    """Write the tokenizer of directory source to directory target with TYPOGRAPHY before its own normaliser.

    NFC comes first, so that a decomposed й stays й while stress accents, which have no composed form in Cyrillic,
    stay apart and go.
    """
    data = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
    own = data["normalizer"]
    steps: list[dict[str, Any]] = [{"type": "NFC"}]
    steps += [{"type": "Replace", "pattern": {"Regex": old}, "content": new} for old, new in TYPOGRAPHY]
    steps += own["normalizers"] if own and own["type"] == "Sequence" else [own] if own else []
    data["normalizer"] = {"type": "Sequence", "normalizers": steps}
    (target / "tokenizer.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    config = json.loads((source / "tokenizer_config.json").read_text(encoding="utf-8"))
    # transformers 5 builds the normaliser of a named class (XLMRobertaTokenizer) anew and forgets ours.
    config |= {"tokenizer_class": "PreTrainedTokenizerFast", "model_input_names": ["input_ids", "attention_mask"]}
    (target / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
