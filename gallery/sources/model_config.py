"""The one reader of a model's config.json: which class it is of, what its outputs mean, and what its classes are called."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gallery.errors import SourceError, reason, shown

Problem = Literal["single_label", "multi_label", "one_logit"]
"""What the outputs of a classifier mean: shares of one verdict (softmax), a yes or no of each class by itself (sigmoid), or one number
that tells two classes apart (sigmoid)."""

_PROBLEMS: dict[str, Problem] = {"single_label_classification": "single_label", "multi_label_classification": "multi_label"}
_QUANTISED = {"bitsandbytes": "bitsandbytes", "gptq": "gptqmodel", "awq": "autoawq", "compressed-tensors": "compressed-tensors", "torchao": "torchao"}


@dataclass(frozen=True)
class Outputs:
    """What the outputs of a classifier mean: its classes, by number."""

    names: tuple[str, ...]
    """The model's own names."""
    problem: Problem = "single_label"
    fault: str = ""
    """Why the names cannot be trusted unless the user names every class; empty where they can."""
    notes: tuple[str, ...] = ()
    """What the person who runs the build should know of the names."""


NO_OUTPUTS = Outputs(())
"""Those of a tokenizer."""


def read_config(name: str, folder: Path) -> dict[str, Any]:
    """Return the config.json of a folder. `name` is the source, for messages.

    Raises SourceError where it is missing or damaged.
    """
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        if not isinstance(config, dict):
            raise ValueError("not a JSON object")
    except FileNotFoundError as error:
        raise SourceError(f"{name}: config.json is missing. Give what save_pretrained wrote.") from error
    except (ValueError, OSError, RecursionError) as error:
        raise SourceError(f"{name}: config.json is damaged: {reason(error)}. Fetch the model again.") from error
    return config


def check_class(name: str, config: Mapping[str, Any]) -> None:
    """Raise SourceError for a model that transformers' own code cannot run as a text classifier, and say what it is."""
    if not isinstance(config.get("model_type"), str) or not config["model_type"]:
        raise SourceError(f"{name}: config.json has no model_type, so nothing says which architecture it is. Save the model again with save_pretrained.")
    wanted = architecture(config)
    custom = config.get("auto_map")
    if isinstance(custom, Mapping) and (code := custom.get("AutoModelForSequenceClassification") or (not wanted and custom.get("AutoModel"))):
        raise SourceError(
            f"{name}: config.json asks for code of its own ({shown(code)}), and code from beside a model is never run. "
            "Give a model of a class that transformers has."
        )
    if wanted and not wanted.endswith("ForSequenceClassification"):
        raise SourceError(
            f"{name}: config.json says {wanted}, which does not classify texts. Give the fine-tuned model, of a class …ForSequenceClassification."
        )
    if config.get("quantization_config"):
        raise SourceError(_quantised(name, config["quantization_config"]))


def architecture(config: Mapping[str, Any]) -> str:
    """Return the class that config.json names; empty where it names none."""
    classes = config.get("architectures")
    return str(classes[0]) if isinstance(classes, list) and classes and classes[0] else ""


def _quantised(name: str, how: object) -> str:
    method = str(how.get("quant_method") or "") if isinstance(how, Mapping) else ""
    if not method and isinstance(how, Mapping) and any(key in how for key in ("load_in_4bit", "load_in_8bit", "_load_in_4bit", "_load_in_8bit")):
        method = "bitsandbytes"
    package = _QUANTISED.get(method)
    where = f" where {package} is installed" if package else ""
    return (
        f"{name}: its weights are quantised{f' ({method})' if method else ''}, and gradients cannot be followed through them. "
        f"Save the model it was made from, or{where}: AutoModelForSequenceClassification.from_pretrained(…).dequantize().save_pretrained(FOLDER)."
    )


def outputs_of(name: str, config: Mapping[str, Any]) -> Outputs:
    """Return the classes of a classifier.

    Class names come from id2label, as a mapping from numbers (whole numbers or text) or a list, or as a mapping from names to numbers,
    else from label2id, else from num_labels. Raises SourceError for regression, and where the entries contradict each other beyond use.
    """
    problem = config.get("problem_type")
    names, fault, notes = _names(name, config)
    if problem == "regression":
        raise SourceError(f"{name}: problem_type is regression: this model gives a value, not a class, and there is no verdict to explain. Give a classifier.")
    if problem is not None and problem not in _PROBLEMS:
        raise SourceError(f"{name}: config.json: problem_type is {shown(problem)}. It must be one of: {', '.join(_PROBLEMS)}.")
    if len(names) > 1:
        return Outputs(names, _PROBLEMS.get(problem or "", "single_label"), fault, notes)
    return _one_output(name, names[0], problem)


def _one_output(name: str, own: str, problem: str | None) -> Outputs:
    """Return the two classes that one output tells apart."""
    named = bool(own) and own != "LABEL_0"
    cure = "If a sigmoid of it tells two classes apart, name both under extra.gallery.labels: {0: …, 1: …}, the second for large values."
    if not named:
        return Outputs(("", ""), "one_logit", f"it has one output, which transformers trains as a regression to a value. {cure}")
    note = (
        f"{name}: one output, read as yes or no of {own!r} by a sigmoid, as transformers' pipeline reads it. "
        "A value would be marked by problem_type: regression in config.json."
    )
    return Outputs((f"not {own}", own), "one_logit", notes=() if problem else (note,))


def _names(name: str, config: Mapping[str, Any]) -> tuple[tuple[str, ...], str, tuple[str, ...]]:
    """Return the names by number, why they cannot be trusted, and notes."""
    by_number = _by_number(name, "id2label", config.get("id2label"))
    from_names = _by_number(name, "label2id", config.get("label2id"))
    count = config.get("num_labels")
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
        raise SourceError(f"{name}: config.json: num_labels is {shown(count)}, not a number of classes. Correct it.")
    if not by_number:
        by_number = from_names or {number: f"LABEL_{number}" for number in range(count or 2)}
    numbers = sorted(by_number)
    size = len(numbers)
    if count is not None and count != size:
        fault = f"config.json names {size} classes, but num_labels is {count}"
        return tuple(by_number.get(number, "") for number in range(count)), fault, ()
    if numbers != list(range(size)):
        listed = ", ".join(str(number) for number in numbers[:8]) + (", …" if size > 8 else "")
        return ("",) * size, f"config.json numbers its {size} classes {listed}, but outputs are numbered from 0 to {size - 1}", ()
    names = tuple(by_number[number] for number in numbers)
    contradicted = [names[number] for number in numbers if number in from_names and from_names[number] != names[number]]
    note = f"{name}: config.json: id2label and label2id number {contradicted[0]!r} differently; id2label counts." if contradicted else ""
    return names, "", (note,) if note else ()


def _by_number(name: str, key: str, value: object) -> dict[int, str]:
    """Return class names by number from either way in which people write such a map; empty where there is none."""
    if value is None or value in ({}, []):
        return {}
    if isinstance(value, list):
        return {number: _text(name, key, label) for number, label in enumerate(value)}
    if not isinstance(value, Mapping):
        raise SourceError(f"{name}: config.json: {key} is {shown(value)}, not a mapping from numbers to names. {_CURE}")
    keys, values = [_number(one) for one in value], [_number(one) for one in value.values()]
    backwards = None in keys if key == "id2label" else None not in values
    if key == "id2label" and not backwards:
        return {number: _text(name, key, label) for number, label in zip(keys, value.values(), strict=True) if number is not None}
    if backwards and None not in values and len(set(values)) == len(values):
        return {number: str(label) for number, label in zip(values, value, strict=True) if number is not None}
    if key == "label2id":
        return {}  # only a second source of the names
    raise SourceError(f"{name}: config.json: {key}: {shown(next(iter(value)))} is no number of a class. {_CURE}")


_CURE = "Correct config.json, or save the model again with id2label={0: …, 1: …}."


def _number(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        return int(value)
    except ValueError:
        return None


def _text(name: str, key: str, label: object) -> str:
    """Return a class name as text: config files also hold numbers."""
    if label is None:
        return ""
    if isinstance(label, Mapping | list):
        raise SourceError(f"{name}: config.json: {key} holds {shown(label)} where a name should stand. {_CURE}")
    return str(label).lower() if isinstance(label, bool) else str(label)
