"""The rows of the table of language tags: how long they are, what they are like, and whether one looks trained.

Which free row a new language may take is written nowhere in a released checkpoint: a row that no configuration names
can still have been trained. Two things tell, each against what chance gives a row of H numbers that nobody trained:

- **its length**, where it is far from that of the other free rows. Of a random row the length varies by 1 / sqrt(2H) of
  itself, so more than `SPREADS` times that (or of the spread that free rows have, where that is larger) is no chance.
- **its direction**, where it is closer to a row with a meaning than chance makes it. The cosine of two random rows
  varies by 1 / sqrt(H), so more than `SPREADS` times that is no chance: a trained row leans to those that are used like
  it.

Both err to the side of caution: a table that was filled with copies of one row looks trained. A row of zeros looks
untrained. With H below about `SPREADS` squared the direction can not tell.

Legend: V rows of the table, H its width, K rows that are asked about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from kathrine.types import RowMeaning

if TYPE_CHECKING:
    import torch

SPREADS = 6.0
"""How many standard deviations are no chance: of some 1000 rows compared with 3000 others, none is expected beyond."""
FEWEST = 8
"""Other free rows that are needed to say what length they have."""
NEIGHBOURS = 3
FREE = "free"


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another row, and the cosine to it."""

    row: int
    kind: str
    name: str
    cosine: float


@dataclass(frozen=True, slots=True)
class Row:
    """One row. kind: language, control, speaker or free. nearest: of the rows with a meaning that are no codes,
    greatest cosine first. looks_trained: None for a row whose meaning is known; why: what of it looks trained, empty
    where nothing does."""

    row: int
    kind: str
    name: str
    norm: float
    nearest: tuple[Neighbour, ...]
    looks_trained: bool | None
    why: str


@dataclass(frozen=True, slots=True)
class Kind:
    """Rows of one kind. Norms: least, median and greatest."""

    kind: str
    rows: int
    least: float
    median: float
    greatest: float


@dataclass(frozen=True, slots=True)
class TableRows:
    """A whole table. trained_median: median norm of all rows that mean something. rows: all but codes and unused ones,
    in order. free: rows for a new tag that do not look trained."""

    table: str
    width: int
    trained_median: float
    kinds: tuple[Kind, ...]
    rows: tuple[Row, ...]
    free: tuple[int, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def row_verdicts(table_VH: torch.Tensor, meanings: Mapping[int, RowMeaning], rows: Sequence[int]) -> dict[int, str]:
    """What looks trained of some free rows, by row; an empty sentence where nothing does.

    Given: the table, float; the meaning of every row that has one; the rows asked about.
    """
    import torch

    table_VH = table_VH.detach().float().cpu()
    width, norms_V = table_VH.shape[1], table_VH.norm(dim=1)
    free = [row for row in range(len(norms_V)) if row not in meanings]
    meant = [row for row, meaning in meanings.items() if meaning.kind != "unused" and norms_V[row] > 0]
    units_VH = table_VH / norms_V.clamp(min=1e-30).unsqueeze(1)
    cosines_KM = units_VH[list(rows)] @ units_VH[meant].T if meant else torch.zeros(len(rows), 1)
    closest_K, place_K = cosines_KM.max(dim=1)
    verdicts = {}
    for row, closest, place in zip(rows, closest_K.tolist(), place_K.tolist(), strict=True):
        found = []
        others_F = norms_V[[other for other in free if other != row]]
        if norms_V[row] > 0 and len(others_F) >= FEWEST:
            middle = float(others_F.median())
            # 1.4826: the median distance from the median is that part of a standard deviation
            spread = max(1.4826 * float((others_F - middle).abs().median()), middle / (2 * width) ** 0.5)
            if abs(float(norms_V[row]) - middle) > SPREADS * spread:
                found.append(f"its length {float(norms_V[row]):.3g} is far from that of other free rows, {middle:.3g}")
        if closest > SPREADS / width**0.5:
            which = meant[place]
            name = meanings[which].name or f"{meanings[which].kind} {which}"
            found.append(f"its cosine of {closest:.2f} to {name} is no chance in {width} dimensions")
        verdicts[row] = " and ".join(found)
    return verdicts


def inspect_rows(table_VH: torch.Tensor, meanings: Mapping[int, RowMeaning], name: str) -> TableRows:
    """Everything about a table. Given: as for `row_verdicts`; its official name."""
    table_VH = table_VH.detach().float().cpu()
    norms_V = table_VH.norm(dim=1)
    kind_of = [meanings[row].kind if row in meanings else FREE for row in range(len(norms_V))]
    shown = [row for row, kind in enumerate(kind_of) if kind not in ("code", "unused")]
    free = [row for row in shown if row not in meanings]
    verdicts = row_verdicts(table_VH, meanings, free)
    meant = [row for row, kind in enumerate(kind_of) if kind not in ("unused", FREE)]
    tags = [row for row in meant if kind_of[row] != "code"]
    rows = []
    for row in shown:
        meaning = meanings.get(row, RowMeaning(FREE))
        why = verdicts.get(row, "")
        trained = bool(why) if row in verdicts else None
        near = nearest(table_VH, norms_V, row, tags, meanings)
        rows.append(Row(row, meaning.kind, meaning.name, float(norms_V[row]), near, trained, why))
    kinds = []
    for kind in dict.fromkeys(kind_of):
        norms_K = norms_V[[row for row, one in enumerate(kind_of) if one == kind]]
        least, middle, greatest = (float(one) for one in (norms_K.min(), norms_K.median(), norms_K.max()))
        kinds.append(Kind(kind, len(norms_K), least, middle, greatest))
    untrained = tuple(row for row in free if not verdicts[row])
    median = float(norms_V[meant].median()) if meant else 0.0
    return TableRows(name, table_VH.shape[1], median, tuple(kinds), tuple(rows), untrained)


def nearest(
    table_VH: torch.Tensor, norms_V: torch.Tensor, row: int, among: Sequence[int], meanings: Mapping[int, RowMeaning]
) -> tuple[Neighbour, ...]:
    """The rows that point most nearly where this one does; none for a row of zeros."""
    others = [other for other in among if other != row and norms_V[other] > 0]
    if not others or norms_V[row] == 0:
        return ()
    cosines = (table_VH[others] @ table_VH[row]) / (norms_V[others] * norms_V[row])
    top = cosines.topk(min(NEIGHBOURS, len(others)))
    return tuple(
        Neighbour(others[place], meanings[others[place]].kind, meanings[others[place]].name, float(cosine))
        for cosine, place in zip(top.values.tolist(), top.indices.tolist(), strict=True)
    )


def spans(rows: Sequence[int]) -> str:
    """Rows in words: `2048 to 2147, 2160`."""
    found: list[list[int]] = []
    for row in rows:
        if found and row == found[-1][-1] + 1:
            found[-1][1:] = [row]
        else:
            found.append([row])
    return ", ".join(" to ".join(map(str, one)) for one in found) or "none"
