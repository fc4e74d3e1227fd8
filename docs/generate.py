"""Writes docs/settings.md, docs/commands.md and docs/reference/api.md from the code, and gives the page of methods to the documentation's build.

Run: python docs/generate.py
"""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import click  # noqa: E402 (the repository is on the path now)
from annotated_types import Ge, Gt, Le, Lt  # noqa: E402
from pydantic import BaseModel  # noqa: E402
from pydantic.fields import FieldInfo  # noqa: E402

import gallery  # noqa: E402
from gallery.cli import main  # noqa: E402
from gallery.config import MethodName, Settings  # noqa: E402
from gallery.methods import own_methods  # noqa: E402

NOTE = "<!-- Written by docs/generate.py from the code; do not edit. -->\n"


def fields(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield (dotted key, field) of every setting."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from fields(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name, field


def settings_page() -> str:
    """Return docs/settings.md."""
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for key, field in fields():
        if field.annotation is None or not field.description:
            raise SystemExit(f"{key}: a setting needs a docstring under its field in gallery/config.py")
        rows.append(f"| `{key}` | {_cell(_values(field))} | {_cell(_default(field))} | {_cell(field.description)} |")
    return (
        f"{NOTE}# Settings\n\nThese keys stand under `extra.gallery` in mkdocs.yml. Each is an option of `python build.py` too: `n_steps` is\n"
        "`--n-steps`, `attention.fit` is `--attention-fit` or `--no-attention-fit`. An option overrides the file. A key with several values\n"
        "is a list in the file, and an option that may be given several times.\n\n" + "\n".join(rows) + "\n"
    )


def _values(field: FieldInfo) -> str:
    """Return the values that a setting takes."""
    return f"{_kind(field.annotation)} {_limits(field.metadata)}".strip()


def _limits(metadata: Iterable[Any]) -> str:
    """Return the limits of a number, such as "≥ 2, ≤ 2,000"."""
    rules = [rule for outer in metadata for rule in (outer.metadata if isinstance(outer, FieldInfo) else [outer])]
    return ", ".join(f"{sign} {getattr(rule, name):,}" for rule in rules for kind, name, sign in _LIMITS if isinstance(rule, kind))


_LIMITS = ((Ge, "ge", "≥"), (Gt, "gt", ">"), (Le, "le", "≤"), (Lt, "lt", "<"))
_KINDS = {str: "text", int: "integer", float: "number", bool: "true or false", type(None): "null"}


def _kind(annotation: Any) -> str:
    if annotation is MethodName:
        return "names of methods"
    inner = get_args(annotation)
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{choice}`" for choice in inner)
    if get_origin(annotation) is tuple:
        return _kind(inner[0]) if inner[0] is MethodName else f"list of {_kind(inner[0])}"
    if get_origin(annotation) is dict:
        return "class number: name"
    if hasattr(annotation, "__metadata__"):
        return f"{_kind(inner[0])} {_limits(annotation.__metadata__)}".strip()
    return _KINDS[annotation] if annotation in _KINDS else " or ".join(_kind(part) for part in inner)


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return ", ".join(f"`{part}`" for part in value) or "none" if isinstance(value, tuple | dict) else f"`{value}`"


def commands(group: click.Group = main, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield (name as typed, command) of every command, groups left out."""
    for name in sorted(group.commands):
        command = group.commands[name]
        if isinstance(command, click.Group):
            yield from commands(command, f"{path}{name} ")
        else:
            yield path + name, command


def commands_page() -> str:
    """Return docs/commands.md."""
    parts = [f"{NOTE}# Commands\n\n`python build.py` in a clone and `gallery` after an installation are the same program.\n\n{_prose(main.help or '')}\n"]
    settings = {key.replace(".", "__") for key, _ in fields()}
    for name, command in commands():
        arguments = " ".join(parameter.make_metavar(click.Context(command)) for parameter in command.params if isinstance(parameter, click.Argument))
        options = [option for option in command.params if isinstance(option, click.Option)]
        takes_settings = "passages" in {option.name for option in options}
        own = [option for option in options if not takes_settings or option.name not in settings]
        usage = f"python build.py {name} {arguments} [OPTIONS]".replace("  ", " ")
        lines = [f"## {name}\n\n```text\n{usage}\n```\n\n{_prose(command.help or '')}\n"]
        if own:
            rows = [f"| {_cell(_flags(option))} | {_cell(option.help or '')} | {_cell(_option_default(option))} |" for option in own]
            lines.append("| option | meaning | default |\n|---|---|---|\n" + "\n".join(rows) + "\n")
        if takes_settings:
            lines.append("Takes every [setting](settings.md) as an option.\n")
        parts.append("\n".join(lines))
    return "\n".join(parts)


def _flags(option: click.Option) -> str:
    flags = ", ".join(f"`{flag}`" for flag in [*option.opts, *option.secondary_opts])
    return flags if option.is_flag else f"{flags} {option.make_metavar(click.Context(main))}"


def _option_default(option: click.Option) -> str:
    value = option.to_info_dict()["default"]
    if option.required:
        return "required"
    return "" if value is None or value is False or value == () else f"`{value}`"


def _prose(text: str) -> str:
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def methods_page() -> str:
    """Return the documentation's page of methods, made at each build, so that a new method changes no file of docs/."""
    rows = ["| name | title | question | numbers depend on | signed | differs by class | adds up | forward | backward | windows |", "|" + "---|" * 10]
    for method in own_methods():
        rows.append(
            f"| `{method.name}` | {_cell(method.title)} | {_cell(method.question)} | {', '.join(f'`{name}`' for name in method.settings) or '—'} "
            f"| {_yes(method.signed)} | {_yes(method.by_class)} | {_yes(method.complete)} | {method.forward} | {method.backward} | {method.windows} |"
        )
    return (
        "# Methods\n\nThe declarations of `gallery/attribution/methods/`. The numbers of every method also depend on `dtype`, `tf32` and `layer`.\n"
        "[Add a method](add-a-method.md) says how to write another.\n\n" + "\n".join(rows) + "\n\n"
        "- **signed**: a negative number speaks against the class.\n"
        "- **adds up**: the numbers add up to the change of the output between a baseline and the passage.\n"
        f"- **forward, backward**: {_attribute_doc('forward')} {_attribute_doc('backward')}\n"
        f"- **windows**: {_attribute_doc('windows')}\n"
    )


def _attribute_doc(name: str) -> str:
    """Return the docstring under a field of `Method`."""
    source = (ROOT / "gallery" / "methods.py").read_text(encoding="utf-8")
    match = re.search(rf'^    {name}: [^\n]*\n    """(.*?)"""', source, re.MULTILINE | re.DOTALL)
    if match is None:
        raise SystemExit(f"gallery/methods.py: {name} has no docstring")
    return " ".join(match[1].split())


def api_page() -> str:
    """Return docs/reference/api.md."""
    listed = "\n".join(f"::: gallery.{name}\n" for name in gallery.__all__)
    return (
        f"{NOTE}# API\n\n`import gallery` gives these names; every other module may change between two versions. The examples run in the test suite, in the\n"
        "folder of a gallery of three passages: `config_file` is the path of its mkdocs.yml, `settings` what `load_settings` returns, `store`\n"
        "what `open_store` returns, and `row` the first row that `read_rows` yields.\n\n::: gallery\n    options:\n      members: false\n\n" + listed
    )


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


PAGES = {"settings.md": settings_page, "commands.md": commands_page, "reference/api.md": api_page}
"""File of docs/ -> the function that returns its text."""

if __name__ == "__main__":
    for name, page in PAGES.items():
        (ROOT / "docs" / name).write_text(page(), encoding="utf-8")
