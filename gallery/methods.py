"""Attribution methods: what each declares of itself, and the list of them all.

A method is declared once, in a module of gallery/attribution/methods/ or in another package that names the declaration under the
entry point `gallery.methods`. Settings, command options, keys, names on pages and the tables of the documentation read the
declaration. The list imports those modules by name, so no room below attribution depends on it; a declaration imports no torch.
"""

import pkgutil
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from gallery.errors import ConfigError, reason

PACKAGE = "gallery.attribution.methods"
GROUP = "gallery.methods"
"""Entry points of other packages: name of the method -> its declaration."""

_ALWAYS = ("dtype", "tf32", "layer")
"""Settings on which the numbers of every method depend."""


@dataclass(frozen=True)
class Method:
    """What a method declares of itself.

    >>> method = Method(
    ...     name="length",
    ...     title="length of the word",
    ...     question="which word is the longest",
    ...     compute=lambda classifier, batch, targets, parameters: [],
    ...     order=20,
    ...     signed=False,
    ... )
    >>> sorted(method.parameters(settings))
    ['dtype', 'layer', 'tf32']
    """

    name: str
    """Name in the settings, in keys and in records."""
    title: str
    """Name on pages; an English phrase, translated by the catalogues."""
    question: str
    """The question that the method answers; likewise translated."""
    compute: Callable[..., list[list[Any]]]
    """The function; see `gallery.attribution.method.Compute`."""
    order: int
    """Rank in lists of methods."""
    settings: tuple[str, ...] = ()
    """Settings on which the numbers depend, besides `dtype`, `tf32` and `layer`."""
    version: int = 1
    """Version of the numbers: part of the keys from 2 on; raise it with every change of the code that changes them."""
    signed: bool = True
    """Whether a negative number speaks against the class."""
    by_class: bool = True
    """Whether the numbers differ between classes."""
    complete: bool = False
    """Whether the numbers add up to the change of the output between a baseline, or the biases alone, and the passage."""
    forward: str = "1"
    """Forward passes of a passage: N points of a path, T classes, W words, L layers."""
    backward: str = "0"
    """Backward passes of a passage, in the same letters."""
    captum: str = ""
    """Captum's class for the method; empty where Captum has none."""
    captum_differs: str = ""
    """Why that class gives other numbers by definition, an English phrase for pages; empty where `build.py verify` compares them."""
    every_class: bool = False
    """Whether the method is cheap enough to explain every class of every passage, besides those that all methods explain."""
    windows: Literal["mean", "mean of covering", "own"] = "mean"
    """How windows of a long passage are combined: the mean over all windows, as for logits; the mean over the windows that hold a
    token, for amounts that do not add up; or by the method itself."""

    @property
    def verifiable(self) -> bool:
        """Whether Captum has a class with the same definition."""
        return bool(self.captum) and not self.captum_differs

    @property
    def quick(self) -> bool:
        """Whether it takes a few passes, however long the passage and deep the model: a first page can wait for it."""
        return not re.search(r"[NWL]|samples", f"{self.forward} {self.backward}")

    def parameters(self, settings: object) -> dict[str, Any]:
        """Return all settings that change the method's numbers; they are part of its entries' keys."""
        names = (*_ALWAYS, *self.settings)
        chosen = {name: getattr(settings, name) for name in names}
        # A fixed number of nodes is Captum's own rule; versions tell of the rule that chooses the nodes otherwise.
        fixed = chosen.get("n_steps") is not None
        return chosen | ({"rule": self.version} if self.version > 1 and not fixed else {})


def method_names() -> tuple[str, ...]:
    """Return the names of all methods, our own first, in the order of lists.

    >>> method_names()[:2]
    ('integrated_gradients', 'decomposition')
    """
    return (*_own(), *(name for name in sorted(_foreign()) if name not in _own()))


def own_methods() -> tuple[Method, ...]:
    """Return the declarations of our own package, in the order of lists."""
    return tuple(_own().values())


def all_methods() -> tuple[Method, ...]:
    """Return all declarations in the order of lists, without those of other packages that cannot be imported."""
    methods = []
    for name in method_names():
        with suppress(ConfigError):  # raised for a gallery that uses the method
            methods.append(method_of(name))
    return tuple(methods)


def method_of(name: str) -> Method:
    """Return a method's declaration.

    Raises ConfigError where there is no such method, or its package cannot be imported or declares another thing.

    >>> method_of("occlusion").question
    'what is lost when one word is covered'
    """
    if name in _own():
        return _own()[name]
    point = _foreign().get(name)
    if point is None:
        raise ConfigError(f"extra.gallery.methods: {name!r} is no method. Use some of: {', '.join(method_names())}.")
    owner = point.dist.name if point.dist else point.module
    try:
        declared = point.load()
    except Exception as error:  # whatever another package's import raises
        raise ConfigError(f"extra.gallery.methods: {name}: the package {owner} cannot be imported: {reason(error)}. Mend or remove it.") from error
    if not isinstance(declared, Method) or declared.name != name:
        raise ConfigError(f"extra.gallery.methods: {name}: {owner} declares no Method of that name at {point.value}. Mend or remove the package.")
    return declared


@cache
def _own() -> dict[str, Method]:
    """Return the declarations in our own package, by name, in their order."""
    package = import_module(PACKAGE)
    modules = [import_module(f"{PACKAGE}.{info.name}") for info in pkgutil.iter_modules(package.__path__)]
    declared = [value for module in modules for value in vars(module).values() if isinstance(value, Method)]
    return {method.name: method for method in sorted(declared, key=lambda method: method.order)}


@cache
def _foreign() -> Mapping[str, EntryPoint]:
    """Return the entry points of other packages, none of them imported yet."""
    return {point.name: point for point in entry_points(group=GROUP)}
