"""The language keeps the contract of its kind, and speaks as it should."""

import pytest
from kathrine.testing import check_language

from kathrine_newname.language import NewNameLanguage

SPOKEN = {
    "bread & butter": "bread and butter",
    "ten%": "ten percent",
}


def test_it_keeps_the_contract_of_a_language() -> None:
    check_language(NewNameLanguage(), list(SPOKEN))


@pytest.mark.parametrize("written", SPOKEN)
def test_what_is_written_is_spoken_so(written: str) -> None:
    assert NewNameLanguage().normalise(written).text == SPOKEN[written]
