"""What going through attention costs in memory: it grows with the passage, not with its square, and not with the layers."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import AutoModelForSequenceClassification, ModernBertConfig

PEAK = """
import resource, sys
from pathlib import Path
import torch
from gallery.attention.capture import attend
from gallery.model.loading import load_classifier
from gallery.config import AttentionSettings, Settings
from gallery.attention.encoding import Reader, attention_files
from gallery.sources.resolve import resolve_model, resolve_tokenizer
from tests.support.models import SENTENCES

torch.set_num_threads(1)
folder, tokens = Path(sys.argv[1]), int(sys.argv[2])
classifier = load_classifier(resolve_model(folder.name, folder.parent), resolve_tokenizer(folder.name, folder.parent), Settings(model=folder.name))
attend(classifier, [classifier.tokenize(SENTENCES[0])], AttentionSettings())
tokenized = classifier.tokenize(" ".join(SENTENCES) * (tokens // 100))
assert len(tokenized.ids) == tokens, len(tokenized.ids)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
(record,) = attend(classifier, [tokenized], AttentionSettings())
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, sum(data.size for data in record.packed.values()))
"""


def measured(folder: Path, tokens: int) -> tuple[int, int]:
    """Return the megabytes that the attention of a passage takes above the model, and the bytes of all layers' files."""
    found = subprocess.run([sys.executable, "-c", PEAK, str(folder), str(tokens)], capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    assert found.returncode == 0, found.stderr
    peak, size = found.stdout.split()
    return int(peak), int(size)


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of ru_maxrss is the system's")
def test_8192_tokens_of_modernbert_take_memory_in_proportion(tiny: Callable[[str], Path], tmp_path: Path) -> None:
    folder = tmp_path / "long"
    shutil.copytree(tiny("modernbert"), folder)
    small = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    known = json.loads((folder / "config.json").read_text("utf-8"))
    config = ModernBertConfig(
        **small,
        **{name: known[name] for name in ("vocab_size", "pad_token_id", "cls_token_id", "sep_token_id", "bos_token_id", "eos_token_id")},
        id2label=known["id2label"],
        label2id=known["label2id"],
        max_position_embeddings=8192,
        local_attention=128,
        global_attn_every_n_layers=2,
    )
    AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    tokenizer = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    (folder / "tokenizer_config.json").write_text(json.dumps({**tokenizer, "model_max_length": 8192}), "utf-8")
    peak, size = measured(folder, 8192)
    # One 8192 x 8192 tensor of float32 is 256 MB, the weights of one layer here 512 MB.
    assert peak < 160
    assert size < 8192 * 2 * 2 * (2 * 8 * 2 + 4)
