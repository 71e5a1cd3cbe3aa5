"""Utterances of the toy language (see `toy.py`): a source without audio, and a prepared corpus in memory."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kathrine.components import Options, Source, SourceContext
from kathrine.corpus.prepared import CorpusRow
from kathrine.toy import toy_codes, toy_text
from kathrine.types import Example, Split, Utterance

FRAME_SECONDS = 0.08


class ToySourceOptions(Options):
    utterances: int = 12
    """How many."""
    seed: int = 0
    """What they say."""


def toy_sentences(count: int, seed: int = 0, shortest: int = 4, longest: int = 16) -> list[str]:
    """Distinct made-up words."""
    generator = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(generator.choices("abcdefghijkl", k=generator.randint(shortest, longest)))] = None
    return list(found)


class ToySource(Source):
    """`source = "toy"`: utterances that hold their codes, without any audio."""

    name = "toy"
    Options = ToySourceOptions
    options: ToySourceOptions

    def prepare(self, context: SourceContext) -> None:
        return None

    def utterances(self, context: SourceContext) -> Iterable[Utterance]:
        for number, text in enumerate(toy_sentences(self.options.utterances, self.options.seed)):
            codes = tuple(tuple(int(code) for code in frame) for frame in toy_codes(text))
            yield Utterance(f"u{number:04d}", None, {"text": text}, f"s{number % 2}", "toy", codes=codes)


@dataclass(eq=False)
class ToyCorpus:
    """The same attributes as a PreparedCorpus, in memory."""

    rows: list[CorpusRow]
    examples: dict[str, Example]
    entries: tuple[str, ...]
    fingerprint: str = "toy"
    facts: dict[str, Any] = field(default_factory=dict)

    def example(self, key: str) -> Example:
        return self.examples[key]


def prepared_toy_corpus(
    entries: Mapping[str, int] | None = None,
    held_out: int = 4,
    seed: int = 0,
    speakers: int = 2,
    longest: int = 16,
) -> ToyCorpus:
    """A corpus of toy utterances.

    Given: training utterances by entry (default: `toy` with 12); held_out more of each for validation.
    """
    entries = entries or {"toy": 12}
    rows, examples = [], {}
    for place, (entry, count) in enumerate(entries.items()):
        for number, text in enumerate(toy_sentences(count + held_out, seed + 100 * place, longest=longest)):
            split: Split = "train" if number < count else "validation"
            codes_FQ = toy_codes(text)
            seconds = len(codes_FQ) * FRAME_SECONDS
            # speakers change with number // 2, so that those of held-out utterances vary for any count
            about: dict[str, Any] = {
                "id": f"u{number:04d}",
                "entry": entry,
                "speaker": f"s{number // 2 % speakers}",
                "language": "toy",
            }
            example = Example(
                **about,
                split=split,
                seconds=seconds,
                codes_FQ=codes_FQ,
                speaker_embedding_H=None,
                text_ids={"text": toy_text(text)},
                spoken={"text": text},
                cut=number % 7 == 3,
            )
            examples[example.key] = example
            rows.append(
                CorpusRow(
                    key=example.key,
                    **about,
                    split=split,
                    seconds=seconds,
                    frames=example.frames,
                    text_tokens={"text": len(text)},
                    cut=example.cut,
                    reference=None,
                )
            )
    facts = {"entries": {entry: {"name": entry, "hours": 0.0, "licence": "CC0-1.0"} for entry in entries}}
    return ToyCorpus(
        rows, examples, tuple(entries), f"toy-{seed}-{sorted(entries.items())}-{held_out}-{longest}", facts
    )
