"""Long lists cut into pages with addresses of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

CARDS = 100
"""Passages on a page of a list; a gallery with no more has no second page."""

T = TypeVar("T")


@dataclass(frozen=True)
class Paging:
    """Which page of a list is shown, and the way to the others."""

    number: int
    count: int
    first: str
    """Address of the first page, as seen from this one."""
    others: str
    """Address of the folder of the other pages, as seen from this one; empty or with a slash at the end."""

    def address(self, number: int) -> str:
        """Return where a page of the list is, as seen from this one."""
        return self.first if number == 1 else f"{self.others}{number}/"

    def offered(self) -> list[int | None]:
        """Return the numbers that are linked: the ends and those near by; None where some are left out."""
        near = sorted({1, self.count, *range(max(1, self.number - 2), min(self.count, self.number + 2) + 1)})
        return [near[0], *(entry for before, number in pairwise(near) for entry in ([number] if number == before + 1 else [None, number]))]


ONLY = Paging(1, 1, "", "")
"""A list that fits on one page."""


def cut(items: Sequence[T]) -> list[Sequence[T]]:
    """Return the pages of a list; an empty list has one."""
    return [items[start : start + CARDS] for start in range(0, len(items), CARDS)] or [items]


def front(count: int, folder: str) -> Paging:
    """Return the first page's way to the others, which lie in a folder below it."""
    return Paging(1, count, "", folder)


def behind(number: int, count: int, first: str) -> Paging:
    """Return another page's way to its neighbours and to the first."""
    return Paging(number, count, first, "../")
