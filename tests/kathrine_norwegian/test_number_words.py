"""Numbers to words, bokmål and nynorsk."""

from __future__ import annotations

import pytest

from kathrine_norwegian.style import Style
from kathrine_norwegian.words import LARGEST, cardinal, ordinal, year


@pytest.mark.parametrize("variant", ["nb", "nn"])
def test_every_number_has_words_of_its_own(variant):
    style = Style(variant=variant)
    numbers = [*range(3000), *(10**power + offset for power in range(4, 24) for offset in (-1, 0, 1, 21, 100))]
    assert len({cardinal(number, style) for number in numbers}) == len(set(numbers))
    ordered = [*range(1, 2000), 10**6, 2 * 10**6, 10**9]
    assert len({ordinal(number, style) for number in ordered}) == len(ordered)
    assert len({year(number, style) for number in range(1100, 2100)}) == 1000
    assert all(" " not in year(number, style) for number in range(1100, 2100))
    with pytest.raises(ValueError, match="no name"):
        cardinal(LARGEST + 1, style)


@pytest.mark.parametrize(
    ("number", "nb", "nn"),
    [
        (1, "én", "éin"),
        (100, "hundre", "hundre"),
        (1000, "ett tusen", "eitt tusen"),
        (1100, "ett tusen ett hundre", "eitt tusen eitt hundre"),
        (100_000, "hundre tusen", "hundre tusen"),
        (101_001, "hundre og ett tusen og én", "hundre og eitt tusen og éin"),
        (1_000_000, "én million", "éin million"),
        (2_000_005, "to millioner og fem", "to millionar og fem"),
        (3_000_000_000, "tre milliarder", "tre milliardar"),
        (10**12, "én billion", "éin billion"),
    ],
)
def test_cardinals(number, nb, nn):
    assert cardinal(number, Style()) == nb
    assert cardinal(number, Style(variant="nn")) == nn


@pytest.mark.parametrize(
    ("number", "nb", "nn"),
    [
        (1, "første", "første"),
        (7, "sjuende", "sjuande"),
        (13, "trettende", "trettande"),
        (20, "tjuende", "tjuande"),
        (21, "tjueførste", "tjueførste"),
        (30, "trettiende", "trettiande"),
        (99, "nittiniende", "nittiniande"),
        (100, "hundrede", "hundrede"),
        (205, "to hundre og femte", "to hundre og femte"),
        (1000, "tusende", "tusande"),
        (2000, "to tusende", "to tusande"),
        (10**6, "millionte", "millionte"),
        (2 * 10**6, "to millionte", "to millionte"),
    ],
)
def test_ordinals(number, nb, nn):
    assert ordinal(number, Style()) == nb
    assert ordinal(number, Style(variant="nn")) == nn
