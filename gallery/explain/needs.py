"""A need: an entry of a passage, with everything that the entry depends on. Keys, reasons and timing groups are derived from it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from gallery.store.keys import entry_key
from gallery.store.manifest import EntryName
from gallery.store.timings import settings_digest


@dataclass(frozen=True)
class Need:
    """An entry that a page is made of."""

    name: EntryName
    """Kind, method and class."""
    model: Mapping[str, Any]
    """Digests of weights and tokenizer, and the number format."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What the entry depends on besides model and passage: settings, and versions of our own formats and rules."""
    passage: Mapping[str, Any] = field(default_factory=dict)
    """What the entry depends on in the passage: its text, how it is read, the classes to explain."""

    @property
    def kind(self) -> str:
        """Kind of the record."""
        return self.name.kind

    @property
    def method(self) -> str:
        """Attribution method; empty for kinds without one."""
        return self.name.method

    @property
    def target(self) -> int:
        """Class that is explained.

        Raises ValueError for kinds that have no class.
        """
        if self.name.target is None:
            raise ValueError(f"{self.name} has no class")
        return self.name.target

    @cached_property
    def key(self) -> str:
        """Key of the entry in the store: the sha256 of all that it depends on."""
        own = {"method": self.name.method} if self.name.method else {}
        target = {} if self.name.target is None else {"target": self.name.target}
        return entry_key(kind=self.kind, **self.model, **own, **target, **self.settings, **self.passage)

    @cached_property
    def part(self) -> str:
        """The part of the work that makes the entry: its kind, and its method where it has one."""
        return str(EntryName(self.kind, self.method))

    @cached_property
    def depends(self) -> dict[str, Any]:
        """Return what the entry depends on besides the passage, by name of the setting.

        The prediction's dependencies, with the model among them, hold for every other entry and are listed there alone.
        """
        flat: dict[str, Any] = dict(self.model) if self.kind == "prediction" else {}
        for name, value in self.settings.items():
            flat |= value if isinstance(value, Mapping) else {_SETTING_NAMES.get((self.kind, name), name): value}
        return flat

    @cached_property
    def timing(self) -> str:
        """Digest under which times are kept: of all that the entry depends on besides text and class."""
        long = {name: value for name, value in self.passage.items() if name == "long"}
        return settings_digest({**self.model, **long, **self.depends})


_SETTING_NAMES = {("bertviz", "tokens"): "bertviz_tokens"}
"""Names of settings that stand in a key under another name."""


def entry_names(needs: Iterable[Need]) -> dict[EntryName, str]:
    """Return name -> key, as the manifest lists a passage's entries."""
    return {need.name: need.key for need in needs}
