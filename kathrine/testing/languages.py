"""The contract of a language: rules that can be relied on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args, get_origin

from kathrine.components import Language, SpokenText
from kathrine.testing.problems import Contract, fresh

NOT_SPOKEN = ("😀", "\x07")
"""Signs that no language speaks: a smiley, and the bell of a teleprinter."""


def check_language(language: Language, sentences: Sequence[str] = (), own_sentences: bool = True) -> None:
    """A language keeps its contract.

    Its rules are repeatable and change nothing when applied twice; a sign that has no rule is rejected with a reason;
    other options have another `rules_version` wherever they give another text, the same options the same one; test
    sentences are written as they are spoken; evaluation sentences can all be spoken.

    Given: sentences, written ones to look at beside its own; own_sentences, whether it has to bring test sentences.
    Raises: ConformanceError that says what is wrong.
    """
    contract = Contract(language)
    spoken, held_out = language.test_sentences(), language.evaluation_sentences()
    version = language.rules_version()
    contract.holds(isinstance(version, str) and version, "rules_version is empty", Language.rules_version)
    contract.holds(spoken or not own_sentences, "there are no test sentences", Language.test_sentences)
    every = list(dict.fromkeys((*spoken, *held_out, *sentences)))
    contract.holds(every, "there is nothing to try it on: give `sentences`", Language.test_sentences)
    for sentence in every:
        _check_rules(contract, language, sentence)
    for sentence in spoken:
        answer = language.normalise(sentence)
        contract.holds(
            answer.text == sentence,
            f"a test sentence is not written as it is spoken: {sentence!r} gives {answer.text or answer.rejected!r}",
            Language.test_sentences,
        )
    for sentence in held_out:
        reason = language.normalise(sentence).rejected
        contract.holds(not reason, f"{sentence!r} can not be spoken: {reason}", Language.evaluation_sentences)
    twice = len(held_out) - len(set(held_out))
    contract.holds(not twice, f"{twice} evaluation sentences are there twice", Language.evaluation_sentences)
    _check_alphabet(contract, language, next(one for one in every if not language.normalise(one).rejected))
    _check_version(contract, language, every)
    code = language.code()
    contract.holds(re.fullmatch(r"([a-z]{2,3})?", code), f"{code!r} is no ISO 639 code", Language.code)
    contract.holds("." not in language.tag(), f"the tag {language.tag()!r} may not hold a dot", Language.tag)


def _check_rules(contract: Contract, language: Language, sentence: str) -> None:
    answer = language.normalise(sentence)
    contract.holds(isinstance(answer, SpokenText), f"normalise gives {type(answer).__name__}", Language.normalise)
    contract.holds(answer == language.normalise(sentence), f"not repeatable: {sentence!r}", Language.normalise)
    other = fresh(language).normalise(sentence)
    contract.holds(answer == other, f"a fresh one speaks another text: {sentence!r}", Language.normalise)
    if answer.rejected:
        contract.holds(not answer.text, f"{sentence!r} is rejected and has a text", SpokenText)
        return
    contract.holds(answer.text.strip(), f"{sentence!r} is spoken as nothing", Language.normalise)
    again = language.normalise(answer.text)
    contract.holds(
        again.text == answer.text and not again.rejected,
        f"twice changes more: {sentence!r} gives {answer.text!r}, which gives {again.text or again.rejected!r}",
        Language.normalise,
    )
    if answer.text != sentence and answer.steps:
        told = {step.rule for step in answer.steps}
        contract.holds(
            answer.steps[0].before == sentence and answer.steps[-1].after == answer.text and told == {*answer.rules},
            f"the steps do not lead from {sentence!r} to {answer.text!r}",
            SpokenText,
        )
    elif answer.text != sentence:
        contract.holds(answer.rules, f"{sentence!r} was changed and no rule says so", SpokenText)


def _check_alphabet(contract: Contract, language: Language, sentence: str) -> None:
    for sign in NOT_SPOKEN:
        answer = language.normalise(f"{sentence} {sign}")
        contract.holds(
            answer.rejected or sign in answer.text, f"{sign!r} is left out without a word", Language.normalise
        )
        contract.holds(answer.rejected, f"{sign!r} is taken for something that is spoken", Language.normalise)
    for nothing in ("", "  "):
        contract.holds(language.normalise(nothing).rejected, "an empty text is not rejected", Language.normalise)


def _check_version(contract: Contract, language: Language, sentences: Sequence[str]) -> None:
    version = language.rules_version()
    contract.holds(
        version == language.rules_version() == fresh(language).rules_version(),
        "rules_version is another one for the same options",
        Language.rules_version,
    )
    texts = [language.normalise(sentence) for sentence in sentences]
    for field, options in other_options(language.options):
        other = type(language)(options, language.label)
        if other.rules_version() != version:
            continue
        for sentence, text in zip(sentences, texts, strict=True):
            found = other.normalise(sentence)
            contract.holds(
                found == text,
                f"{sentence!r} is spoken differently with another `{field}`, under the same rules_version",
                Language.rules_version,
            )


def other_options(options: Any) -> Iterator[tuple[str, Any]]:
    """Options that differ in one field, with its name: a switch the other way round, each other word of a choice."""
    for name, field in type(options).model_fields.items():
        value = getattr(options, name)
        others: tuple[Any, ...] = ()
        if isinstance(value, bool):
            others = (not value,)
        elif get_origin(field.annotation) is Literal:
            others = tuple(one for one in get_args(field.annotation) if one != value)
        for other in others:
            yield name, options.model_copy(update={name: other})
