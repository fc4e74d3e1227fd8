"""Names of classes as sentences need them: «за Чехова» where the language can decline the name, else «за ответ «LABEL_1»»."""

from functools import cache

from gallery.site.language import Language
from gallery.site.vocabulary import surname_in_case


def speaks_for(speech: Language, name: str) -> str:
    """Return what a word does that speaks for a class, as `for Chekhov`."""
    declined = _declined(speech, name, "accs")
    return speech.gettext("for %(name)s") % {"name": declined} if declined else speech.gettext("for the answer “%(name)s”") % {"name": name}


def speaks_against(speech: Language, name: str) -> str:
    """Return what a word does that speaks against a class, as `against Chekhov`."""
    declined = _declined(speech, name, "gent")
    return speech.gettext("against %(name)s") % {"name": declined} if declined else speech.gettext("against the answer “%(name)s”") % {"name": name}


def recognised(speech: Language, name: str, share: str) -> str:
    """Return the sentence of a genuine passage whose author the model named."""
    values = {"name": _declined(speech, name, "accs") or name, "share": share}
    if _declined(speech, name, "accs"):
        return speech.gettext("The model read the passage and recognised %(name)s (%(share)s).") % values
    return speech.gettext("The model read the passage and answered “%(name)s” (%(share)s), which is right.") % values


def named(speech: Language, name: str, share: str) -> str:
    """Return the sentence of an imitation that the model takes for its original's."""
    values = {"name": _declined(speech, name, "accs") or name, "share": share}
    if _declined(speech, name, "accs"):
        return speech.gettext("The model read the passage and named %(name)s (%(share)s).") % values
    return speech.gettext("The model read the passage and answered “%(name)s” (%(share)s).") % values


def mistaken(speech: Language, name: str, share: str) -> str:
    """Return the sentence of a passage that the model takes for another author's."""
    values = {"name": _declined(speech, name, "accs") or name, "share": share}
    if _declined(speech, name, "accs"):
        return speech.gettext("The model read the passage and took it to be by %(name)s (%(share)s).") % values
    return speech.gettext("The model read the passage and answered “%(name)s” (%(share)s).") % values


def answered(speech: Language, answer: str, share: str) -> str:
    """Return the sentence of a model that may name several classes or none; share: probability of the most probable."""
    return speech.gettext("The model read the passage and answered “%(name)s” (%(share)s).") % {"name": answer, "share": share}


def _declined(speech: Language, name: str, case: str) -> str | None:
    """Return a name in a case of pymorphy3; the name itself where the language does not decline names; None where its case is not known."""
    return _russian(name, case) if speech.code == "ru" else name


@cache
def _russian(name: str, case: str) -> str | None:
    """Return a surname, or surnames joined by hyphens, in a case; None where one of them is not known to be a surname."""
    parts = [surname_in_case(part, case) for part in name.split("-")]
    return "-".join(part for part in parts if part is not None) if None not in parts else None
