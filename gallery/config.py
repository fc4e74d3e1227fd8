"""`extra.gallery` in mkdocs.yml, and the options that override it, as one frozen settings object."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from gallery.errors import ConfigError, short
from gallery.methods import method_names, method_of
from gallery.mkdocs_config import read_mkdocs_config

_LONGEST_REASON = 500
_MOST_PROBLEMS = 5


def _known_method(name: str) -> str:
    if name not in method_names():
        raise ValueError(f"no such method; use some of {', '.join(method_names())}")
    return name


MethodName = Annotated[str, AfterValidator(_known_method)]


class Section(BaseModel):
    """A group of keys: immutable, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def _layers(value: Any) -> Any:
    """Return the wanted layers in ascending order; an option gives them as 1,6,12."""
    if value in ("all", "mean", "none"):
        return value
    named = value.split(",") if isinstance(value, str) else value
    try:
        numbers = sorted({int(str(number)) for number in named})
    except (TypeError, ValueError):
        numbers = []
    if not numbers or numbers[0] < 1:
        raise ValueError("must be all, mean, none, or a list of layers such as 1,6,12, numbered from 1 as on the pages")
    return tuple(numbers)


class AttentionSettings(Section):
    """How attention is stored, and how much of it the site carries; the store always has all layers."""

    precision: Literal["int8", "exact"] = "int8"
    """How finely queries and keys are stored: int8 (about 8 bits a number) or exact (about 12)."""
    layers: Annotated[Literal["all", "mean", "none"] | tuple[int, ...], BeforeValidator(_layers)] = "all"
    """Layers that the site carries: all; a list such as 1,6,12, numbered as on the pages; mean (of all heads, and rollout); none (the picture alone)."""
    tokens: Annotated[int, Field(ge=8)] | None = None
    """Number of tokens from the beginning of a passage whose attention the site carries; null for whole passages."""
    norms: bool = False
    """Also store norm-based attention by layer: how much of a token arrives, beside how much it is looked at; T² bytes a layer, BERT-like models only."""
    fit: bool = False
    """Choose how much of attention the site carries, and pack downloads if necessary, to stay within site_budget_mb; pages say what was left out."""


class Settings(Section):
    """All settings of a build; each key is also an option of build.py.

    >>> Settings().methods[0]
    'integrated_gradients'
    >>> Settings(device="cpu", n_steps=50).n_steps
    50
    """

    model: str = "gallery/demo/classifier"
    """The classifier: a folder, a hub id (org/name@revision), wandb:entity/project/name:version, or the name of another kind of source."""
    tokenizer: str | None = None
    """Source of the tokenizer, named as a model is; null takes the model's own."""
    passages: tuple[str, ...] = ("site_src/passages",)
    """Folders of Markdown files; CSV, JSONL and Parquet tables; folders written by `datasets`."""
    classics: bool = False
    """Add the 36 genuine passages of site_src/passages/classics.csv; their texts are fetched, or read from `texts`."""
    texts: str | None = None
    """Folder of the texts that passages refer to by url; null fetches each text once."""
    labels: dict[int, str] = Field(default_factory=dict)
    """Class number -> name, in place of the model's own names."""
    true_class_is: Literal["name", "number"] | None = None
    """How passages give their true class, where labels are numbers themselves: name or number; null takes what has one meaning alone."""
    store: str = "store"
    """Folder for everything that is computed, or a URL that fsspec knows, such as s3://bucket/gallery."""
    engine: Literal["local", "ray"] = "local"
    """local (this process) or ray (a worker for every GPU of a Ray cluster, or for every `ray_cpus` cores)."""
    ray_address: str | None = None
    """Address of a Ray cluster, such as ray://head:10001 or auto; null starts one on this machine for the run."""
    ray_cpus: Annotated[int, Field(ge=1)] = 1
    """Cores of a Ray worker where there is no GPU; each worker holds a copy of the model."""
    device: str = "auto"
    """auto (CUDA, then MPS, then CPU) or a torch device name."""
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    """Number format in which the model runs."""
    products: Literal["auto", "float32"] = "auto"
    """Matrix products of a float32 model: auto (bfloat16 where that is several times faster; each page states the difference) or float32."""
    layer: Literal["embeddings", "words"] = "embeddings"
    """Where attributions are taken: at the output of the whole embedding module, or of the word embeddings alone."""
    tf32: bool = False
    """Let a CUDA device round float32 products to TF32: faster, with three digits fewer."""
    long: Literal["cut", "windows"] = "cut"
    """Passages longer than the model's input: cut (the rest is not read) or windows (overlapping windows, whose logits are averaged)."""
    methods: tuple[MethodName, ...] = ("integrated_gradients", "decomposition", "gradient_x_input", "gradient_norm", "attention_rollout")
    """Attribution methods; a page opens with the first. Those named here are all put to the test; of the default ones, those whose sums come out."""
    baseline: Literal["pad", "mask", "zero"] = "pad"
    """The empty text from which paths start: every token replaced by pad or mask, or all embeddings zero."""
    output: Literal["logit", "probability", "log-odds"] = "logit"
    """The output that is explained: a class's logit, its probability, or its log-odds against all other classes."""
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """A multi-label model names every class whose probability is at least this."""
    n_steps: Annotated[int, Field(ge=2, le=2000)] | None = None
    """Number of nodes of a path, as in Captum; null takes as many as the tolerance needs."""
    delta_tolerance: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Convergence: the share of the change of output that attributions may miss."""
    max_steps: Annotated[int, Field(ge=9, le=5000)] = 300
    """Largest number of nodes; attributions that then still miss the tolerance are marked as not converged."""
    samples: Annotated[int, Field(ge=20, le=100_000)] = 200
    """Number of texts with erased words on which methods that sample are computed, such as lime and shapley."""
    random_orders: Annotated[int, Field(ge=0, le=1000)] = 5
    """Number of random orders of the words, the control for faithfulness; 0 leaves faithfulness out."""
    interactions: Annotated[int, Field(ge=0, le=12)] = 0
    """Number N of the strongest words whose exact Shapley interactions are computed, for the predicted class: 2ᴺ forward passes; 0 leaves them out."""
    erase: Literal["mask", "pad"] = "mask"
    """Token that replaces an erased word, in faithfulness and in methods that erase words."""
    batch_tokens: Annotated[int, Field(ge=64)] = 2048
    """Number of tokens in a batch of texts with erased words, or of nodes of a path."""
    attention: AttentionSettings = AttentionSettings()
    bertviz_tokens: Annotated[int, Field(ge=0, le=128)] = 32
    """Number of tokens of the excerpt that bertviz draws; 0 leaves bertviz out."""
    wandb_lineage: bool = False
    """Record in W&B, in a run of the model's project, which artifacts the gallery was made from."""
    wandb_log: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")] | None = None
    """entity/project of W&B to which the store and a table of the passages are logged, as an artifact."""
    incomplete: bool = False
    """Write and publish a site that lacks the passages that could not be read or explained; without it, the last site stays as it was."""
    site_budget_mb: Annotated[int, Field(ge=1, le=1000)] = 950
    """Largest site that passes the check, in millions of bytes; GitHub Pages publishes at most 1000."""

    @model_validator(mode="after")
    def _averages_are_of_logits(self) -> "Settings":
        if self.long == "windows" and self.output != "logit":
            raise ValueError(f"long is windows, which averages logits, but output is {self.output}: set output to logit, or long to cut")
        return self


def tried_methods(settings: Settings) -> tuple[str, ...]:
    """Return the methods whose faithfulness is measured: all that mkdocs.yml or an option names; of the default ones, the complete ones."""
    return settings.methods if "methods" in settings.model_fields_set else tuple(name for name in settings.methods if method_of(name).complete)


_TRIALS: dict[str, tuple[str, ...]] = {
    "faithfulness": ("erase", "products"),
    "chance": ("erase", "products", "random_orders"),
    "interactions": ("erase", "output"),
}


def trial_parameters(settings: Settings, kind: str) -> dict[str, Any]:
    """Return all settings that change the numbers of `faithfulness`, of `chance` or of `interactions`; they are part of the entries' keys."""
    return {name: getattr(settings, name) for name in ("dtype", "tf32", "layer", *_TRIALS[kind])}


def load_settings(config_file: Path, overrides: Mapping[str, Any] | None = None, required: bool = True) -> Settings:
    """Return the settings of a mkdocs.yml, with options put over them.

    required: whether the file must exist; without it, all keys have their defaults. Raises ConfigError, naming the file and the key, for
    anything unknown or out of range.

    >>> load_settings(config_file).n_steps
    8
    >>> load_settings(config_file, {"n_steps": 50, "attention.precision": "exact"}).attention.precision
    'exact'
    """
    values = read_mkdocs_config(config_file).gallery if required or config_file.exists() else {}
    return _validate(config_file, _merged(values, overrides or {}))


def _merged(values: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Put dotted overrides ("attention.precision") over nested values."""
    merged: dict[str, Any] = {k: dict(v) if isinstance(v, dict) else v for k, v in values.items()}
    for dotted, value in overrides.items():
        *sections, key = dotted.split(".")
        target = merged
        for section in sections:
            target = target.setdefault(section, {})
        if isinstance(target, dict):  # a wrong value is named when it is validated
            target[key] = value
    return merged


def _validate(config_file: Path, values: dict[str, Any]) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        lines: list[str] = []
        for problem in error.errors():
            key = ".".join(short(str(part)) for part in ("extra", "gallery", *problem["loc"]))
            if problem["type"] == "extra_forbidden":
                known = "" if any("no such key" in line for line in lines) else f" Known keys: {', '.join(sorted(Settings.model_fields))}."
                lines.append(f"{config_file}: {key}: no such key.{known}")
            elif not problem["loc"]:
                lines.append(f"{config_file}: {key}: {short(str(problem.get('ctx', {}).get('error', problem['msg'])), _LONGEST_REASON)}.")
            else:
                wrong = problem["msg"].removeprefix("Value error, ")  # pydantic's words before our own
                lines.append(f"{config_file}: {key}: {wrong}; it is {short(repr(problem['input']))}.")
        more = [f"{config_file}: and {len(lines) - _MOST_PROBLEMS} more."] if len(lines) > _MOST_PROBLEMS else []
        raise ConfigError("\n".join([*lines[:_MOST_PROBLEMS], *more])) from error
