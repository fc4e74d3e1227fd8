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
    """A page of a list, with the addresses of the others."""

    number: int
    count: int
    first: str
    """Address of the first page, as seen from this one."""
    others: str
    """Address of the folder of the other pages, as seen from this one; empty or with a slash at the end."""

    def address(self, number: int) -> str:
        """Return the address of a page of the list, as seen from this one."""
        return self.first if number == 1 else f"{self.others}{number}/"

    def offered(self) -> list[int | None]:
        """Return the page numbers to link: both ends and the neighbours; None stands for a gap."""
        near = sorted({1, self.count, *range(max(1, self.number - 2), min(self.count, self.number + 2) + 1)})
        return [near[0], *(entry for before, number in pairwise(near) for entry in ([number] if number == before + 1 else [None, number]))]


def cut(items: Sequence[T]) -> list[Sequence[T]]:
    """Return a list's pages; an empty list has one page."""
    return [items[start : start + CARDS] for start in range(0, len(items), CARDS)] or [items]


def first_page(count: int, folder: str) -> Paging:
    """Return the paging of a list's first page; the other pages lie in a folder below it."""
    return Paging(1, count, "", folder)


def later_page(number: int, count: int, first: str) -> Paging:
    """Return the paging of another page of the list; `first` is the first page's address as seen from it."""
    return Paging(number, count, first, "../")
