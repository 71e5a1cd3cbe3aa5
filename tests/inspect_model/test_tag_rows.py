"""Rows of the table of language tags: norms, neighbours, and which of the free ones look trained."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest
import torch
from tiny_training import claim_and_apply, tiny_model

from kathrine.inspect.rows import SPREADS, inspect_rows, row_verdicts, spans
from kathrine.types import RowMeaning
from kathrine_language_tag.strategy import LanguageTag

WIDTH, CODES, ROWS = 256, 40, 120
LANGUAGES = {60: "english", 61: "german"}
MEANINGS = {
    **{row: RowMeaning("code") for row in range(CODES)},
    **{row: RowMeaning("unused") for row in range(CODES, 50)},
    **{row: RowMeaning("language", name) for row, name in LANGUAGES.items()},
    70: RowMeaning("control", "codec_eos_token_id"),
}


def table() -> torch.Tensor:
    """Codes and tags three times as long as what nobody trained, which is as a random start leaves it."""
    table_VH = 0.02 * torch.randn((ROWS, WIDTH), generator=torch.Generator().manual_seed(5))
    table_VH[[*range(CODES), 60, 61, 70]] *= 3
    table_VH[CODES:50] = 0
    return table_VH


def test_random_rows_do_not_look_trained_and_planted_ones_do() -> None:
    table_VH = table()
    table_VH[80] *= 2  # twice as long as the others
    table_VH[81] = 0.4 * table_VH[60] * (0.32 / (0.4 * float(table_VH[60].norm()))) + 0.3 * table_VH[81]  # leans
    table_VH[82] = 0
    free = [row for row in range(ROWS) if row not in MEANINGS]
    verdicts = row_verdicts(table_VH, MEANINGS, free)
    assert set(verdicts) == set(free)
    assert {row for row, why in verdicts.items() if why} == {80, 81}
    assert "its length" in verdicts[80] and "cosine" not in verdicts[80]
    assert "to english is no chance in 256 dimensions" in verdicts[81] and "length" not in verdicts[81]


def test_the_criterion_is_that_of_its_description() -> None:
    """A row just inside SPREADS spreads of the others' median length looks untrained, one just outside does not."""
    table_VH, free = table(), [row for row in range(ROWS) if row not in MEANINGS]
    norms_F = table_VH[[row for row in free if row != 90]].norm(dim=1)
    middle = float(norms_F.median())
    spread = max(1.4826 * float((norms_F - middle).abs().median()), middle / (2 * WIDTH) ** 0.5)
    for factor, trained in ((0.97, False), (1.03, True)):
        for side in (1, -1):
            changed_VH = table_VH.clone()
            changed_VH[90] *= (middle + side * factor * SPREADS * spread) / float(table_VH[90].norm())
            assert bool(row_verdicts(changed_VH, MEANINGS, [90])[90]) == trained
    for cosine, trained in ((0.97 * SPREADS / WIDTH**0.5, False), (1.03 * SPREADS / WIDTH**0.5, True)):
        axis_H = table_VH[61] / table_VH[61].norm()
        other_H = table_VH[90] - (table_VH[90] @ axis_H) * axis_H
        leaning_H = cosine * axis_H + (1 - cosine**2) ** 0.5 * other_H / other_H.norm()
        changed_VH = table_VH.clone()
        changed_VH[90] = middle * leaning_H
        assert bool(row_verdicts(changed_VH, MEANINGS, [90])[90]) == trained


def test_a_table_is_told_with_norms_kinds_and_neighbours() -> None:
    table_VH = table()
    table_VH[100] *= 3
    table_VH[61] += 0.5 * table_VH[60]
    found = inspect_rows(table_VH, MEANINGS, "tags.weight")
    assert (found.table, found.width) == ("tags.weight", WIDTH)
    assert {kind.kind: kind.rows for kind in found.kinds} == {
        "code": CODES, "unused": 10, "free": ROWS - 53, "language": 2, "control": 1,
    }  # fmt: skip
    rows = {row.row: row for row in found.rows}
    assert set(rows) == set(range(50, ROWS))
    for row, facts in rows.items():
        assert facts.norm == pytest.approx(float(table_VH[row].norm()), rel=1e-6)
        assert (facts.looks_trained is None) == (row in MEANINGS)
    nearest = rows[61].nearest[0]
    cosine = torch.nn.functional.cosine_similarity(table_VH[60], table_VH[61], dim=0)
    assert (nearest.row, nearest.name) == (60, "english") and nearest.cosine == pytest.approx(float(cosine), rel=1e-5)
    assert len(rows[61].nearest) == 2  # the other language and the control id, never codes
    assert rows[100].looks_trained and 100 not in found.free
    assert set(found.free) == {row for row, facts in rows.items() if facts.looks_trained is False}
    meant = [row for row, meaning in MEANINGS.items() if meaning.kind != "unused"]
    assert found.trained_median == pytest.approx(float(table_VH[meant].norm(dim=1).median()))
    assert found.as_json()["rows"][0] == {**asdict(rows[50]), "row": 50}


def test_rows_in_words() -> None:
    assert spans([3, 4, 5, 7, 9, 10]) == "3 to 5, 7, 9 to 10" and spans([]) == "none"


def test_the_family_says_what_its_rows_mean_and_the_tag_warns_of_a_trained_one() -> None:
    model = tiny_model()
    meanings = model.row_meanings()
    assert meanings[0].kind == "code" and meanings[200].kind == "unused"
    assert meanings[2050] == RowMeaning("language", "english")
    controls = {meaning.name for meaning in meanings.values() if meaning.kind == "control"}
    assert "codec_eos_token_id" in controls
    assert 2100 not in meanings and 2158 not in meanings
    tag = LanguageTag(LanguageTag.Options(lr=1e-3, language="norwegian", row=2100))
    assert list(tag.doubts(model)) == []
    weights: Any = model.originals[model.language_table()]
    with torch.no_grad():
        weights[2100] = weights[2050]
    (doubt,) = tag.doubts(model)
    assert doubt.startswith("row 2100 looks trained: its cosine of 1.00 to english") and "--rows" in doubt
    claim_and_apply(model, [tag])
    assert list(tag.doubts(model)) == []  # its own now: trained further
    assert model.row_meanings()[2100] == RowMeaning("language", "norwegian")


def test_rows_by_default_are_what_the_facts_say() -> None:
    from kathrine.testing import ToyFamily
    from kathrine.workspace import Workspace

    model = ToyFamily().load(Workspace.default())
    model.facts = replace(model.facts, languages={"toy": 40}, taken_rows={41: "the end"})
    meanings = model.row_meanings()
    assert meanings[40] == RowMeaning("language", "toy") and meanings[41] == RowMeaning("control", "the end")
    assert meanings[31] == RowMeaning("code") and 32 not in meanings
