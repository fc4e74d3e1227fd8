"""The labels of a view: what its colours, its table and its words say, always with the class that they speak of."""

from collections.abc import Sequence
from dataclasses import dataclass

from gallery.site.language import language
from gallery.site.names import speaks_against, speaks_for
from gallery.site.views import View


@dataclass(frozen=True)
class Labels:
    """Texts of a view in the interface's language; they depend on its class alone, so that all its methods share them."""

    name: str
    """The class, or the two classes."""
    speaks_for: str
    """What a positive number does."""
    speaks_against: str
    """What a negative number does."""
    adds: str
    """Caption of the table of a method with signs."""
    weighs: str
    """Caption of the table of a method without signs."""


def labels_of(code: str, names: Sequence[str], view: View) -> Labels:
    """Return the labels of a view of a gallery whose classes have these names."""
    speech = language(code)
    _ = speech.gettext
    name = names[view.target]
    towards = speaks_for(speech, name)
    if view.against is None:
        away = speaks_against(speech, name)
        adds = _("How much each word speaks %(for_class)s (plus) or %(against_class)s (minus)")
        weighs = _("How much each word weighs in the score of the answer “%(name)s”, whether for or against") % {"name": name}
        return Labels(name, towards, away, adds % {"for_class": towards, "against_class": away}, weighs)
    other = speaks_for(speech, names[view.against])
    adds = _("How much more each word speaks %(one)s (plus) than %(other)s (minus)") % {"one": towards, "other": other}
    rather = _("rather %(for_class)s")
    between = _("%(one)s rather than %(other)s") % {"one": name, "other": names[view.against]}
    return Labels(between, rather % {"for_class": towards}, rather % {"for_class": other}, adds, "")
