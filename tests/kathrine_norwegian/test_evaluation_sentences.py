"""The fixed sentences that Norwegian is measured on."""

from __future__ import annotations

import pytest

from kathrine.speech.checks import letters
from kathrine.speech.sets import text_key
from kathrine_metrics.articulation import CLASSES, score_letters
from kathrine_norwegian.evaluation import evaluation_sentences
from kathrine_norwegian.language import NorwegianLanguage
from kathrine_norwegian.sentences import SENTENCES


@pytest.mark.parametrize(("variant", "count", "code"), [("nb", 120, "no"), ("nn", 40, "nn")])
def test_the_sets_are_whole_and_new(variant: str, count: int, code: str) -> None:
    language = NorwegianLanguage(NorwegianLanguage.Options(variant=variant))
    texts = language.evaluation_sentences()
    assert texts == evaluation_sentences(variant) and len(texts) == count and language.code() == code
    keys = {text_key(text) for text in texts}
    assert len(keys) == count
    shared = keys & {text_key(text) for text in SENTENCES[variant]}
    assert shared <= {text_key("Nei.")}
    for text in texts:
        assert text == text.strip() and "|" not in text and not any(letter.isdigit() for letter in text)
        assert language.normalise(text).text  # no rule refuses one


def test_every_kind_of_difficulty_is_there() -> None:
    texts = evaluation_sentences("nb")
    assert sum(len(text.split()) == 1 for text in texts) >= 3
    assert sum(letters(text) > 200 for text in texts) == 2
    assert sum(text.endswith("?") for text in texts) >= 10
    counted: dict[str, float] = {}
    for text in texts:
        for name, value in score_letters(text, text, "no").items():
            counted[name] = counted.get(name, 0) + value
    assert all(counted.get(name, 0) >= 25 for name in CLASSES), counted
