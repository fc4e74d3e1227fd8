"""The commands of build.py, which the installed `gallery` shares."""

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click
from pydantic import BaseModel

from gallery import __version__
from gallery.config import Settings, load_settings
from gallery.errors import GalleryError

_BUILD = "build"


class _Commands(click.Group):
    """A group in which leaving the command out means `build`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        asks_about_group = args and args[0] in {"-h", "--help", "--version"}
        if not asks_about_group and not (args and args[0] in self.commands):
            if args and not args[0].startswith("-"):
                raise click.UsageError(f"No such command {args[0]!r}. Commands: {', '.join(sorted(self.commands))}.", ctx)
            args = [_BUILD, *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("\nStopped. Everything finished so far is in the store; the same command goes on from there.", err=True)
            sys.exit(130)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="gallery")
def main() -> None:
    """Make a transformer text classifier explain itself in a static site.

    Without a command: explain what is new and render the site (`build`). Every key of `extra.gallery` in mkdocs.yml
    is also an option; options win.
    """


def _type(annotation: Any) -> Any:
    """Return the click type of a settings field."""
    if get_origin(annotation) is Literal:
        return click.Choice([str(choice) for choice in get_args(annotation)])
    inner = [argument for argument in get_args(annotation) if argument is not type(None) and argument is not Ellipsis]
    if inner:
        return _type(inner[0])
    return annotation if annotation in (int, float, bool) else str


def _options(model: type[BaseModel], prefix: str = "") -> list[Callable[[Any], Any]]:
    """Return a click option for every key of the settings; `a.b` becomes `--a-b`."""
    options = []
    for name, field in model.model_fields.items():
        annotation = field.annotation
        dotted = prefix + name
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            options += _options(annotation, f"{dotted}.")
            continue
        flag = "--" + dotted.replace(".", "-").replace("_", "-")
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


def _configured(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command all the settings as options, and pass it the settings and the folder of mkdocs.yml."""

    @functools.wraps(command)
    def wrapped(config_file: Path, **options: Any) -> Any:
        names = {option.name for option in click.get_current_context().command.params}
        keys = _keys(Settings)
        overrides = {key: options.pop(key.replace(".", "__")) for key in keys if key.replace(".", "__") in names}
        if overrides.get("labels"):
            overrides["labels"] = _pairs(overrides["labels"])
        given = {key: value for key, value in overrides.items() if value not in (None, (), {})}
        settings = load_settings(config_file, given)
        return command(settings=settings, config_file=config_file, **options)

    for option in reversed(_options(Settings)):
        wrapped = option(wrapped)
    place = click.Path(dir_okay=False, path_type=Path)
    return click.option("--config-file", "-f", type=place, default="mkdocs.yml", show_default=True, help="The one configuration file.")(wrapped)


def _keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    keys = []
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys += _keys(field.annotation, f"{prefix}{name}.")
        else:
            keys.append(prefix + name)
    return keys


@main.command(_BUILD)
@_configured
def build(settings: Settings, config_file: Path) -> None:
    """Explain what is new, then render the site."""
    problems = _explain(settings, config_file)
    _render(settings, config_file)
    _end(problems)


@main.command()
@_configured
def explain(settings: Settings, config_file: Path) -> None:
    """Compute what the store lacks; needs the extra `explain`."""
    _end(_explain(settings, config_file))


@main.command()
@_configured
def render(settings: Settings, config_file: Path) -> None:
    """Write the site from the store alone; needs no torch."""
    _render(settings, config_file)


@main.command()
@click.option("--port", default=8000, show_default=True, help="Port on this machine.")
@_configured
def serve(settings: Settings, config_file: Path, port: int) -> None:
    """Build, then show the site here and render it again whenever a page, a passage or a setting changes."""
    from gallery.site import serve_site

    _explain(settings, config_file)
    serve_site(settings, config_file, port)


def _explain(settings: Settings, config_file: Path) -> list[str]:
    try:
        from gallery.run import explain_all
    except ImportError as error:
        raise GalleryError(f'{error.name or error} is not installed, and explaining needs it. Run: pip install -c constraints.txt -e ".[explain]"') from error
    return explain_all(settings, config_file.parent)


def _render(settings: Settings, config_file: Path) -> None:
    from gallery.site import build_site

    build_site(settings, config_file)


def _end(problems: list[str]) -> None:
    """Repeat what went wrong, last, where it is read; the exit status is 1 then."""
    if problems:
        raise GalleryError("\n       ".join(problems))
