"""Class names by number: the model's own, with the user's over them."""

from collections.abc import Mapping, Sequence

from gallery.errors import SourceError


def label_names(own: Sequence[str], given: Mapping[int, str], model: str, fault: str = "") -> tuple[str, ...]:
    """Return the class names by number: the model's own, replaced by the given names where there are any.

    fault: why the model's own names cannot be used unless every class is given a name. Raises SourceError where that is so, where the
    model has no class of a given number, where a name cannot be shown, or where two classes share a name.
    """
    outside = sorted(number for number in given if not 0 <= number < len(own))
    if outside:
        raise SourceError(f"extra.gallery.labels: {outside[0]}: the model {model} has classes 0 to {len(own) - 1}. Correct the number.")
    if fault and len(given) < len(own):
        cure = "" if "extra.gallery.labels" in fault else f" Name every class under extra.gallery.labels: {{0: …, 1: …}}, up to {len(own) - 1}."
        raise SourceError(f"{model}: {fault}{'' if fault.endswith('.') else '.'}{cure}")
    names = tuple(given.get(number, name) for number, name in enumerate(own))
    for number, name in enumerate(names):
        if not name.strip() or any(c == "\0" or "\ud800" <= c <= "\udfff" for c in name):
            raise SourceError(f"{model}: class {number} has the name {name!r}, which cannot be shown. Name it under extra.gallery.labels.")
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise SourceError(f"extra.gallery.labels: {repeated!r} names two classes of the model {model}. Give each its own name.")
    return names
