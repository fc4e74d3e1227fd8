"""Every key of the settings as an option of the commands."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click
from pydantic import BaseModel

from gallery.config import MethodName, Settings, load_settings
from gallery.methods import method_names


def configured(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command all the settings as options, and pass it the settings and the folder of mkdocs.yml."""

    @functools.wraps(command)
    def wrapped(config_file: Path, **options: Any) -> Any:
        names = {option.name for option in click.get_current_context().command.params}
        keys = _keys(Settings)
        overrides = {key: options.pop(key.replace(".", "__")) for key in keys if key.replace(".", "__") in names}
        if overrides.get("labels"):
            overrides["labels"] = _pairs(overrides["labels"])
        given = {key: value for key, value in overrides.items() if value not in (None, (), {})}
        source = options.get("source")
        of_any_model = "source" in options and (source is not None or "model" in given)  # `check MODEL` needs no gallery
        settings = load_settings(config_file, given, required=not of_any_model)
        if source is not None and source != settings.model:  # another model than the gallery's: its class names and tokenizer are its own
            settings = settings.model_copy(
                update={"model": source, "labels": settings.labels if "labels" in given else {}, "tokenizer": given.get("tokenizer")}
            )
        return command(settings=settings, config_file=config_file, **options)

    own = frozenset(flag for option in getattr(command, "__click_params__", []) for flag in option.opts)
    for option in reversed(_options(Settings, own=own)):
        wrapped = option(wrapped)
    path = click.Path(dir_okay=False, path_type=Path)
    return click.option("--config-file", "-f", type=path, default="mkdocs.yml", show_default=True, help="The configuration file.")(wrapped)


def _type(annotation: Any) -> Any:
    """Return the click type of a settings field."""
    if annotation is MethodName:
        return click.Choice(method_names())
    if get_origin(annotation) is Literal:
        return click.Choice([str(choice) for choice in get_args(annotation)])
    inner = [argument for argument in get_args(annotation) if argument is not type(None) and argument is not Ellipsis]
    if len(inner) > 1:
        return str
    if inner:
        return _type(inner[0])
    return annotation if annotation in (int, float, bool) else str


def _options(model: type[BaseModel], prefix: str = "", own: frozenset[str] = frozenset()) -> list[Callable[[Any], Any]]:
    """Return a click option for every key of the settings, but those flags that a command uses itself; `a.b` becomes `--a-b`."""
    options = []
    for name, field in model.model_fields.items():
        annotation = field.annotation
        dotted = prefix + name
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            options += _options(annotation, f"{dotted}.", own)
            continue
        flag = "--" + dotted.replace(".", "-").replace("_", "-")
        if flag in own:
            continue
        many = get_origin(annotation) in (tuple, dict)
        if annotation is bool:
            options.append(click.option(f"{flag}/--no-{flag[2:]}", dotted.replace(".", "__"), default=None, help=field.description))
            continue
        shown = (field.description or "") + (" May be given several times." if many else "")
        metavar = "NUMBER=NAME" if get_origin(annotation) is dict else None
        kind = str if get_origin(annotation) is dict else _type(annotation)
        options.append(click.option(flag, dotted.replace(".", "__"), type=kind, multiple=many, metavar=metavar, default=() if many else None, help=shown))
    return options


def _pairs(values: tuple[str, ...]) -> dict[int, str]:
    pairs = {}
    for value in values:
        number, equals, name = value.partition("=")
        if not equals or not number.isdigit():
            raise click.BadParameter(f"{value!r} is not NUMBER=NAME", param_hint="--labels")
        pairs[int(number)] = name
    return pairs


def _keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    keys = []
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys += _keys(field.annotation, f"{prefix}{name}.")
        else:
            keys.append(prefix + name)
    return keys
