"""Tiny random classifiers of the architectures that transformers has for texts, each with a tokenizer in the manner of its family."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tokenizers import processors
from transformers import CONFIG_MAPPING, AutoModelForSequenceClassification, PreTrainedTokenizerFast

from tests.support.models import LABELS, make_tokenizer

_SIZE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24, "max_position_embeddings": 64}
_GROUPED = {**_SIZE, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8}
_CONVOLVED = {"d_model": 16, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
_SEQ2SEQ = {**_CONVOLVED, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24, "max_position_embeddings": 64, "decoder_start_token_id": 2}
_T5 = {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 2, "decoder_start_token_id": 0}
_GPT = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 64}
_XLM = {"emb_dim": 16, "n_layers": 2, "n_heads": 2, "max_position_embeddings": 64, "n_langs": 1}


@dataclass(frozen=True)
class Architecture:
    """How a family's classifier and tokenizer are made."""

    tokenizer: str
    """A key of `_MANNERS`."""
    config: dict[str, Any] = field(default_factory=lambda: dict(_SIZE))
    pad: bool = True
    """Whether config.json names a pad token."""


_MANNERS = {
    "bert": ("wordpiece", "[CLS]:0 $A:0 [SEP]:0"),
    "roberta": ("bytes", "<s>:0 $A:0 </s>:0"),
    "pieces": ("pieces", "<s>:0 $A:0 </s>:0"),
    "t5": ("pieces", "$A:0 </s>:0"),
    "xlnet": ("pieces", "$A:0 </s>:0 <s>:2"),
    "gpt": ("bytes", "$A:0"),
    "llama": ("pieces", "<s>:0 $A:0"),
}
"""Kind of pieces, and where special tokens stand: XLNet's classifier reads its last token, decoders have none behind the text."""

ARCHITECTURES = {
    "bert": Architecture("bert"),
    "roberta": Architecture("roberta", {**_SIZE, "max_position_embeddings": 66}),
    "xlm-roberta": Architecture("pieces", {**_SIZE, "max_position_embeddings": 66}),
    "xlm-roberta-xl": Architecture("pieces", {**_SIZE, "max_position_embeddings": 66}),
    "roberta-prelayernorm": Architecture("roberta", {**_SIZE, "max_position_embeddings": 66}),
    "camembert": Architecture("pieces", {**_SIZE, "max_position_embeddings": 66}),
    "distilbert": Architecture("bert", {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24, "max_position_embeddings": 64}),
    "electra": Architecture("bert", {**_SIZE, "embedding_size": 8}),
    "albert": Architecture("pieces", {**_SIZE, "embedding_size": 8}),
    "deberta": Architecture("roberta", {**_SIZE, "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "type_vocab_size": 0}),
    "deberta-v2": Architecture("pieces", {**_SIZE, "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 16, "type_vocab_size": 0}),
    "mpnet": Architecture("pieces", {**_SIZE, "max_position_embeddings": 66}),
    "modernbert": Architecture("roberta", {**_SIZE, "local_attention": 8, "global_attn_every_n_layers": 2}),
    "eurobert": Architecture("pieces", {**_SIZE, "num_key_value_heads": 2}),
    "ernie": Architecture("bert"),
    "rembert": Architecture("pieces", {**_SIZE, "input_embedding_size": 8, "output_embedding_size": 8}),
    "roformer": Architecture("bert", {**_SIZE, "embedding_size": 16}),
    "roc_bert": Architecture("bert", {**_SIZE, "enable_pronunciation": False, "enable_shape": False}),
    "megatron-bert": Architecture("bert"),
    "nomic_bert": Architecture("bert", {**_SIZE, "head_dim": 8}),
    "layoutlm": Architecture("bert"),
    "fnet": Architecture("pieces", {key: value for key, value in _SIZE.items() if key != "num_attention_heads"}),
    "longformer": Architecture("roberta", {**_SIZE, "max_position_embeddings": 66, "attention_window": [8, 8]}),
    "big_bird": Architecture("pieces", {**_SIZE, "max_position_embeddings": 128, "attention_type": "block_sparse", "block_size": 4, "num_random_blocks": 1}),
    "nystromformer": Architecture("pieces"),
    "convbert": Architecture("bert", {**_SIZE, "embedding_size": 8, "num_attention_heads": 4, "head_ratio": 2, "conv_kernel_size": 3}),
    "squeezebert": Architecture(
        "bert", {**_SIZE, "embedding_size": 16, **{f"{part}_groups": 2 for part in ("q", "k", "v", "post_attention", "intermediate", "output")}}
    ),
    "mobilebert": Architecture("bert", {**_SIZE, "embedding_size": 8, "intra_bottleneck_size": 8, "true_hidden_size": 8}),
    "funnel": Architecture("bert", {"d_model": 16, "n_head": 2, "d_head": 8, "d_inner": 24, "block_sizes": [1, 1], "num_decoder_layers": 1}),
    "xlnet": Architecture("xlnet", {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 24}),
    "xlm": Architecture("pieces", _XLM),
    "flaubert": Architecture("pieces", _XLM),
    "bart": Architecture("roberta", _SEQ2SEQ),
    "mbart": Architecture("pieces", _SEQ2SEQ),
    "plbart": Architecture("pieces", _SEQ2SEQ),
    "t5": Architecture("t5", _T5),
    "mt5": Architecture("t5", _T5),
    "umt5": Architecture("t5", _T5),
    "gpt2": Architecture("gpt", _GPT, pad=False),
    "gpt_neo": Architecture(
        "gpt",
        {"hidden_size": 16, "num_layers": 2, "num_heads": 2, "attention_types": [[["global", "local"], 1]], "window_size": 8, "max_position_embeddings": 64},
    ),
    "gptj": Architecture("gpt", {**_GPT, "rotary_dim": 4}),
    "gpt_neox": Architecture("gpt"),
    "biogpt": Architecture("pieces"),
    "opt": Architecture("roberta", {**_SIZE, "ffn_dim": 24, "word_embed_proj_dim": 16}),
    "bloom": Architecture("gpt", {"hidden_size": 16, "n_layer": 2, "n_head": 2}),
    "mpt": Architecture("gpt", {"d_model": 16, "n_layers": 2, "n_heads": 2, "max_seq_len": 64}),
    "falcon": Architecture("gpt", {**_SIZE, "multi_query": True, "new_decoder_architecture": False, "alibi": False}),
    "llama": Architecture("llama", _GROUPED, pad=False),
    "mistral": Architecture("llama", {**_GROUPED, "sliding_window": 8}, pad=False),
    "ministral": Architecture("llama", {**_GROUPED, "sliding_window": 8}),
    "qwen2": Architecture("gpt", {**_GROUPED}),
    "qwen3": Architecture("gpt", {**_GROUPED}),
    "gemma": Architecture("llama", {**_GROUPED}),
    "gemma2": Architecture("llama", {**_GROUPED, "sliding_window": 8, "query_pre_attn_scalar": 8}),
    "gemma3_text": Architecture("llama", {**_GROUPED, "sliding_window": 8, "query_pre_attn_scalar": 8}),
    "phi": Architecture("gpt", {**_SIZE, "partial_rotary_factor": 0.5}),
    "phi3": Architecture("llama", {**_SIZE, "num_key_value_heads": 2}),
    "stablelm": Architecture("gpt", {**_GROUPED}),
    "olmo2": Architecture("gpt", {**_GROUPED}),
    "modernbert-decoder": Architecture("roberta", {**_SIZE, "local_attention": 8, "global_attn_every_n_layers": 2}),
    "mixtral": Architecture("llama", {**_GROUPED, "num_local_experts": 2}),
    "qwen2_moe": Architecture(
        "gpt", {**_GROUPED, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 8, "shared_expert_intermediate_size": 8}
    ),
}


def save_architecture(folder: Path, name: str, longest: int = 64) -> Path:
    """Write a random classifier of an architecture of `ARCHITECTURES`, with its tokenizer, as save_pretrained does; return the folder."""
    made = ARCHITECTURES[name]
    tokenizer = _tokenizer(made.tokenizer, longest)
    torch.manual_seed(0)
    numbers = {
        "bos_token_id": tokenizer.cls_token_id,
        "eos_token_id": tokenizer.sep_token_id,
        "pad_token_id": tokenizer.pad_token_id if made.pad else None,
    }
    labels = {"id2label": dict(enumerate(LABELS)), "label2id": {label: number for number, label in enumerate(LABELS)}}
    config = CONFIG_MAPPING[name](**{**numbers, **made.config}, **labels, vocab_size=len(tokenizer) + 8)
    model = AutoModelForSequenceClassification.from_config(config)
    with torch.no_grad():  # a random initialisation of 0.02 leaves attention uniform and all classes alike
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(5)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer(manner: str, longest: int) -> PreTrainedTokenizerFast:
    kind, template = _MANNERS[manner]
    tokenizer = make_tokenizer(kind, longest)
    own = tokenizer.backend_tokenizer
    names = [part.split(":")[0] for part in template.split() if not part.startswith("$")]
    own.post_processor = processors.TemplateProcessing(single=template, special_tokens=[(name, own.token_to_id(name)) for name in names])
    inputs = ["input_ids", "token_type_ids", "attention_mask"] if manner in {"bert", "xlnet"} else ["input_ids", "attention_mask"]
    tokenizer.model_input_names = inputs
    if manner == "xlnet":
        tokenizer.padding_side = "left"
    if manner in {"gpt", "llama"}:
        tokenizer.mask_token = None
    return tokenizer
