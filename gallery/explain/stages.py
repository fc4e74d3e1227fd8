"""The order of the work: for every passage first what its page needs to be read, then what takes longer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gallery.explain.needs import Need
from gallery.explain.plan import Job
from gallery.methods import method_of

PAGE_KINDS = ("prediction", "attention", "heads", "layers")
"""Kinds of entries that a first page shows, besides the attributions of one method: each takes a few passes."""


@dataclass(frozen=True)
class Stage:
    """A part of the work that is done for every passage before the next part begins."""

    title: str
    has: Callable[[Need], bool]
    """Whether a need belongs to this stage or an earlier one."""


WHOLE = Stage("explaining", lambda need: True)
"""All work on a passage at once."""


def stages_of(methods: Sequence[str]) -> tuple[Stage, ...]:
    """Return the stages of a gallery with these methods, each with its needs and those of the stages before it."""
    first = first_methods(methods)

    def page(need: Need) -> bool:
        return need.kind in PAGE_KINDS or (need.kind == "attribution" and need.method in first)

    return (
        Stage("explaining, what each page needs", page),
        Stage("explaining, further methods", lambda need: page(need) or need.kind in {"attribution", "every_class"}),
        Stage("explaining, trials", lambda need: True),
    )


def first_methods(methods: Sequence[str]) -> tuple[str, ...]:
    """Return the method that a first page shows, if any: the first that tells classes apart in a few passes, else the first."""
    quick = (method for method in methods if method_of(method).quick and method_of(method).by_class)
    return (next(quick, methods[0]),) if methods else ()


def within(job: Job, stage: Stage) -> Job:
    """Return a passage with those of its missing entries that belong to a stage."""
    return replace(job, missing=tuple(need for need in job.missing if stage.has(need)))


@dataclass(frozen=True)
class Follow:
    """What a caller does while passages are explained in stages."""

    readable: Callable[[], None]
    """Called when every passage has what its page needs, after the manifest of that state is written."""
    needed: bool = True
    """Whether the caller has no site yet; where it has one, a state that lacks methods is shown only if most passages are new."""
    early: Callable[[], bool] = lambda: False
    """Asked after each passage of the first stage: whether to write the manifest of what is there, and call `readable`."""
    working: Callable[[str, str], None] = lambda title, line: None
    """Called when a passage is begun, with its title and how far the stage is."""
    stopped: Callable[[], bool] = lambda: False
    """Asked before each passage: whether to leave the rest to the next run."""
