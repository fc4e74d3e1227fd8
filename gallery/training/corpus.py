"""The training corpus: works cut into tokens, with their side of the split and the words that name people."""

import csv
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

#: Folder name -> the author as a reader writes him. Kuprin and Garin-Mikhailovsky are left out: a linear model knows a
#: tenth of the first one's crops on his dev work, and two novels about the same hero are all there is of the second.
AUTHORS = {
    "Saltykov-Shchedrin": "Салтыков-Щедрин",
    "Tolstoy": "Толстой",
    "Dostoevsky": "Достоевский",
    "Chekhov": "Чехов",
    "Gogol": "Гоголь",
    "Pushkin": "Пушкин",
    "Turgenev": "Тургенев",
    "Leskov": "Лесков",
    "Gorky": "Горький",
    "Sologub": "Сологуб",
    "Bryusov": "Брюсов",
    "Lermontov": "Лермонтов",
    "Goncharov": "Гончаров",
    "Lazhechnikov": "Лажечников",
    "Zagoskin": "Загоскин",
    "Herzen": "Герцен",
}

#: Whole works that choose options and temperature, and are never trained on.
DEV_WORKS = {
    "Повесть_о_том_как_поссорился_Иван_Иванович_с_Иваном_Никифоровичем",
    "Арап_Петра_Великого",
    "Ашик-Кериб",
    "chekhov_V9_4_Tri_goda",
    "Неточка_Незванова",
    "Фома_Гордеев",
    "leskov_018",
    "Гора_Звезды",
    "Семейное_счастье",
    "Вешние_воды",
    "saltykov_protivorechiya",
    "Долг_прежде_всего",
}

#: The other half of a novel whose first or second half is the test work: on no side at all.
ASIDE = {"lazhechnikov_ledyanoy_b1", "zagoskin_miloslavskiy_b2"}

#: Files that are parts of one novel share a prefix here and so share a fold.
NOVELS = {
    "tolstoy_vojna": "vojna",
    "tolstoy_karenina": "karenina",
    "Gorky_ZyznKlima": "samgin",
    "gogol_mertvye": "mertvye",
    "Sologub_KapliKrovi": "tvorimaya",
    "Sologub_KorolevaOrtruda": "tvorimaya",
    "lermontov_bela": "geroy",
    "lermontov_mary": "geroy",
    "Герой_нашего_времени": "geroy",
    "Севастополь": "sevastopol",
    "lazhechnikov_posledniy": "novik",
    "zagoskin_roslavlev": "roslavlev",
}

#: Authors whose dev passages have to be the end of a training work: (role, from, to) in shares of the text.
CUTS = {
    "Sologub_TjazolyjeSny": [("train", 0.0, 0.85), ("dev", 0.85, 1.0)],
    "goncharov_obryv": [("train", 0.0, 0.9), ("dev", 0.9, 1.0)],
    "lazhechnikov_posledniy_b4": [("train", 0.0, 0.6), ("dev", 0.6, 1.0)],
    "zagoskin_roslavlev_b2": [("train", 0.0, 0.7), ("dev", 0.7, 1.0)],
}

MID_SENTENCE_CAPITAL = re.compile(r"(?<=[\w,;] )[^\W\d_a-zа-яё][\w-]*")
WORD = re.compile(r"\w[\w-]*")


@dataclass(frozen=True)
class Work:
    """One work, or the part of one that stands on one side of the split.

    ids [N] token ids without special tokens; spans [N, 2] their character offsets in text; starts [S] indices of
    tokens that begin a word; name [N] whether the token belongs to a name; fold [N] which out-of-fold model has
    not seen it (-1 outside training).
    """

    author: int
    title: str
    role: str
    text: str
    ids: NDArray[np.int64]
    spans: NDArray[np.int64]
    starts: NDArray[np.int64]
    name: NDArray[np.bool_]
    fold: NDArray[np.int64]


def read_corpus(corpus: Path, table: Path | None, tokenizer: Tokenizer, authors: dict[str, str], folds: int) -> list[Work]:
    """Return every work of the authors, tokenised, in a fixed order.

    corpus holds <Author>/<work>.txt. table is a CSV with the columns author, work, role, where roles `reference` and
    `test` mean test; works in ASIDE are left out; without a table the last work of an author (by name) is test and the last but one dev.
    """
    parts = []
    for author in authors:
        for path in sorted((corpus / author).glob("*.txt")):
            if path.stem in ASIDE:
                continue
            text = path.read_text(encoding="utf-8")
            for role, start, end in CUTS.get(path.stem, [("", 0.0, 1.0)]):
                parts.append((author, path.stem, role, text[int(start * len(text)) : int(end * len(text))]))
    roles = _roles(parts, table)
    names = _name_forms(text for (author, title, role, text) in parts if (role or roles[author, title]) == "train")
    order = list(authors)
    works = []
    for author, title, role, text in parts:
        ids, spans, starts = _tokenise(text, tokenizer)
        side = role or roles[author, title]
        works.append(
            Work(order.index(author), title, side, text, ids, spans, starts, _name_tokens(text, spans, names),
                 np.full(len(ids), -1, np.int64))
        )  # fmt: skip
    _assign_folds(works, folds)
    return works


def _roles(parts: list[tuple[str, str, str, str]], table: Path | None) -> dict[tuple[str, str], str]:
    """Return the role of each (author, work): the table's word, our dev list, or order of names."""
    roles: dict[tuple[str, str], str] = {}
    if table is not None:
        with table.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                role = "dev" if row["work"] in DEV_WORKS else "train" if row["role"] == "train" else row["role"]
                role = "test" if role == "reference" else role
                roles[row["author"], row["work"]] = role
        return roles
    for author in {part[0] for part in parts}:
        titles = sorted({part[1] for part in parts if part[0] == author})
        roles |= {(author, title): "train" for title in titles}
        roles |= {(author, title): role for title, role in zip(titles[-2:], ("dev", "test"), strict=True)}
    return roles


def _name_forms(texts: Iterable[str]) -> set[str]:
    """Return lower-case word forms that stand capitalised inside a sentence in over 40 % of their uses."""
    capital: Counter[str] = Counter()
    every: Counter[str] = Counter()
    for text in texts:
        capital.update(word.lower() for word in MID_SENTENCE_CAPITAL.findall(text))
        every.update(WORD.findall(text.lower()))
    return {form for form, count in capital.items() if count >= 2 and count > 0.4 * every[form]}


def _tokenise(text: str, tokenizer: Tokenizer) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return ids, character spans and word starts; by paragraph, which gives the same ids and uses all cores."""
    ids: list[int] = []
    spans: list[tuple[int, int]] = []
    starts: list[int] = []
    lines = text.splitlines(keepends=True)
    at = 0
    for line, encoding in zip(lines, tokenizer.encode_batch(lines, add_special_tokens=False), strict=True):
        starts += [len(ids) + i for i, token in enumerate(encoding.tokens) if token.startswith("▁")]
        ids += encoding.ids
        spans += [(at + a, at + b) for a, b in encoding.offsets]
        at += len(line)
    return np.array(ids, np.int64), np.array(spans, np.int64).reshape(-1, 2), np.array(starts, np.int64)


def _name_tokens(text: str, spans: NDArray[np.int64], names: set[str]) -> NDArray[np.bool_]:
    """Return which tokens end inside a name: a known form, or a capital inside a sentence."""
    chars = np.zeros(len(text) + 1, np.bool_)
    for match in WORD.finditer(text):
        if match.group().lower() in names:
            chars[match.start() : match.end()] = True
    for match in MID_SENTENCE_CAPITAL.finditer(text):
        chars[match.start() : match.end()] = True
    return chars[np.maximum(spans[:, 1] - 1, 0)]


def _assign_folds(works: list[Work], folds: int) -> None:
    """Spread each author's training works over the folds, parts of a novel together, a lone work cut in pieces."""
    for author in {work.author for work in works}:
        groups: dict[str, list[Work]] = {}
        for work in works:
            if work.author == author and work.role == "train":
                novel = next((novel for prefix, novel in NOVELS.items() if work.title.startswith(prefix)), work.title)
                groups.setdefault(novel, []).append(work)
        if len(groups) == 1:
            for work in next(iter(groups.values())):
                work.fold[:] = np.arange(len(work.ids)) * folds // max(1, len(work.ids))
            continue
        weight = {novel: sum(len(work.ids) ** 0.35 for work in group) for novel, group in groups.items()}
        filled = [0.0] * folds
        for novel in sorted(groups, key=lambda novel: (-weight[novel], novel)):
            fold = filled.index(min(filled))
            filled[fold] += weight[novel]
            for work in groups[novel]:
                work.fold[:] = fold
