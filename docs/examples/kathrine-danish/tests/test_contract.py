"""Danish keeps the contract of a language, also for texts that are not among its own sentences."""

import pytest
from kathrine.testing import check_language

from kathrine_danish.language import Danish

WRITTEN = {
    "Kl. 14.30 kom der 21 mænd og 1 barn.": "Klokken fjorten tredive kom der enogtyve mænd og et barn.",
    "Det kostede 75 kr., dvs. for meget.": "Det kostede femoghalvfjerds kroner, det vil sige for meget.",
}


def test_it_keeps_the_contract_of_a_language():
    check_language(Danish(), [*WRITTEN, "3/7 af dem"])


@pytest.mark.parametrize("written", WRITTEN)
def test_it_is_spoken(written):
    assert Danish().normalise(written).text == WRITTEN[written]
