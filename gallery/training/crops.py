"""Crops of works: drawn at random for training with names disguised, fixed for measuring."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gallery.training.corpus import Work

UNK = 3


class Crop(NamedTuple):
    """Tokens start to end of a work; it begins at a word."""

    work: Work
    start: int
    end: int

    def ids(self) -> NDArray[np.int64]:
        """Return the ids as they stand, [T]."""
        return self.work.ids[self.start : self.end]

    def masked(self) -> NDArray[np.int64]:
        """Return the ids with every name unknown, [T]."""
        return np.where(self.work.name[self.start : self.end], UNK, self.ids())

    def text(self) -> str:
        """Return the text itself, as it stands in the work."""
        return self.work.text[self.work.spans[self.start, 0] : self.work.spans[self.end - 1, 1]]


def cut(work: Work, length: int, rng: np.random.Generator) -> Crop:
    """Return a crop of length tokens, or of all the work where it is shorter, beginning at any word."""
    fits = int(np.searchsorted(work.starts, max(0, len(work.ids) - length), side="right"))
    start = int(work.starts[rng.integers(fits)]) if fits else 0
    return Crop(work, start, min(start + length, len(work.ids)))


class Sampler:
    """Draws crops: an author's works by length^0.35, so that one long novel is not the author."""

    def __init__(self, works: list[Work], authors: int, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.works = [[work for work in works if work.author == author] for author in range(authors)]
        self.weights = [_shares(group, 0.35) for group in self.works]
        named = [(work.ids[work.name], np.isin(np.flatnonzero(work.name), work.starts)) for work in works]
        ids, begins = (np.concatenate(column) for column in zip(*named, strict=True))
        self.names = (ids[~begins], ids[begins])

    def crop(self, author: int, length: int, outside: int | None = None) -> Crop:
        """Return a crop of the author; outside the fold of that number if one is given."""
        while True:
            work = self.works[author][self.rng.choice(len(self.works[author]), p=self.weights[author])]
            crop = cut(work, length, self.rng)
            if outside is None or work.fold[crop.start] != outside:
                return crop

    def disguised(self, crop: Crop) -> NDArray[np.int64]:
        """Return ids with names left (20 %), unknown (30 %), or put together from pieces of all authors' names (50 %).

        Text distortion after Stamatatos 2017 (Authorship Attribution Using Text Distortion); made-up names keep the
        network used to seeing some, though they say nothing.
        """
        choice = self.rng.random()
        if choice < 0.2 or not all(map(len, self.names)):
            return crop.ids()
        if choice < 0.5:
            return crop.masked()
        ids = crop.ids().copy()
        begins = np.isin(np.arange(crop.start, crop.end), crop.work.starts)
        for kind in (0, 1):
            at = np.flatnonzero(crop.work.name[crop.start : crop.end] & (begins == kind))
            ids[at] = self.rng.choice(self.names[kind], len(at))
        return ids


def erase_words(crop: Crop, ids: NDArray[np.int64], share: float, mask: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return ids with that share of the words replaced, all pieces of a word, by the mask token.

    Erasure tests are sound only if the model has met erased texts (Hase et al. 2021, arXiv:2106.00786).
    """
    word = np.cumsum(np.isin(np.arange(crop.start, crop.end), crop.work.starts))
    erased = rng.random(int(word[-1]) + 1) < share
    return np.where(erased[word], mask, ids)


def fixed_crops(works: list[Work], authors: int, per_author: int, length: int, draw: int = 0) -> list[Crop]:
    """Return the same crops of length tokens on every call, per_author each, spread evenly over the author's text; another draw, others."""
    rng = np.random.default_rng((length, draw) if draw else length)
    crops = []
    for author in range(authors):
        group = [work for work in works if work.author == author]
        chosen = rng.choice(len(group), size=per_author, p=_shares(group, 1.0))
        crops += [cut(group[work], length, rng) for work in chosen]
    return crops


def _shares(works: list[Work], power: float) -> NDArray[np.float64]:
    """Return the probability of each work, by its length to that power."""
    size = np.array([float(len(work.ids)) ** power for work in works])
    shares: NDArray[np.float64] = size / size.sum()
    return shares
