"""In which form an utterance is put to the model: voice, prompt form, text layout, text variant, language
tag.

Every choice is a pure function of the seed, the utterance, and how often it came before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from kathrine.corpus.mixture import HIDDEN, Corpus, Draw, Row, fraction
from kathrine.errors import KathrineError
from kathrine.recipe.tables import DataTable, PromptTable
from kathrine.types import Example, PromptedExample

Chance = Callable[[str], float]
"""A number in [0, 1) for each thing to be decided, by its name."""
ANY = "any"
"""In place of a split: all of them."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Everything drawn for one use of an utterance. reference: key of the recording that gives the voice."""

    variant: str
    streamed: bool
    in_context: bool
    reference: str | None
    language: str | None


class Voices:
    """Recordings of one voice; any of them but one's own is found without looking at all of them."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.places: dict[str, int] = {}

    def add(self, row: Row) -> None:
        self.places[row.key] = len(self.rows)
        self.rows.append(row)

    def other(self, row: Row, chance: float) -> Row | None:
        """Another recording than `row`, all as likely, or None."""
        own = self.places.get(row.key)
        count = len(self.rows) - (own is not None)
        if not count:
            return None
        place = int(chance * count)
        return self.rows[place + (own is not None and place >= own)]


@dataclass(eq=False)
class Prompter:
    """Makes the choices of `[prompt]` for draws, and the examples that follow from them.

    rows: all of the corpus. data: the table of each entry. tag: name of the language tag for a language, or
    None where the model has none.
    """

    rows: Sequence[Row]
    prompt: PromptTable
    data: Mapping[str, DataTable]
    seed: int
    tag: Callable[[str], str | None] = lambda language: None
    by_key: dict[str, Row] = field(init=False)
    voices: dict[tuple[str, str, str, bool], Voices] = field(init=False)

    def __post_init__(self) -> None:
        self.by_key = {row.key: row for row in self.rows}
        self.voices = defaultdict(Voices)
        for row in self.rows:
            if row.id.startswith(HIDDEN):
                continue
            for split in (row.split, ANY):
                self.voices[row.entry, row.speaker, split, False].add(row)
                if self._fits(row):
                    self.voices[row.entry, row.speaker, split, True].add(row)

    def _fits(self, row: Row) -> bool:
        """Whether a recording can stand in an in-context prompt: short enough, and its text is known."""
        return row.seconds <= self.prompt.max_reference_seconds and row.text_tokens.get("text", 0) > 0

    def chance(self, draw: Draw) -> Chance:
        """Numbers that depend on seed, stage, turn and key alone."""
        return lambda what: fraction(self.seed, "prompt", what, draw.stage, draw.turn, draw.key)

    def choose(self, draw: Draw, chance: Chance | None = None) -> Choice:
        """The choices for one draw. Given: chance, other numbers than those that belong to the draw."""
        row = self.by_key[draw.key]
        chance = chance or self.chance(draw)
        reference = self._reference(row, chance("reference"), fits=False)
        in_context = chance("in_context") < self.prompt.in_context
        if in_context:
            fitting = self._reference(row, chance("reference"), fits=True)
            in_context = fitting is not None
            reference = fitting if fitting is not None else reference
        language = self.tag(row.language) if chance("language") < self.prompt.language_tag else None
        return Choice(
            variant=self._variant(row, chance("variant")),
            streamed=chance("streamed") < self.prompt.streamed,
            in_context=in_context,
            reference=reference.key if reference is not None else None,
            language=language,
        )

    def _variant(self, row: Row, chance: float) -> str:
        table = self.data.get(row.entry)
        wanted = dict(table.variants) if table is not None else {}
        shares = {name: share for name, share in wanted.items() if share > 0 and name in row.text_tokens}
        if not shares:
            return "text"
        left = chance * sum(shares.values())
        for name, share in shares.items():
            left -= share
            if left < 0:
                return name
        return name

    def _reference(self, row: Row, chance: float, fits: bool) -> Row | None:
        """Another recording of the voice. fits: one that can stand in an in-context prompt, else None.

        Raises: KathrineError where the corpus lacks the recording that it names.
        """
        if row.reference is not None:
            fixed = self.by_key.get(f"{row.entry}/{row.reference}")
            if fixed is None:
                raise KathrineError(f"the corpus has no recording {row.reference!r}, the reference of {row.key}")
            return fixed if not fits or (fixed is not row and self._fits(fixed)) else None
        # held-out utterances take held-out references where there are any, training ones never take them
        for split in (row.split,) if row.split == "train" else (row.split, ANY):
            group = self.voices.get((row.entry, row.speaker, split, fits))
            found = group.other(row, chance) if group is not None else None
            if found is not None:
                return found
        # `single_utterance_speakers = "own"` keeps utterances that are their own reference
        return None if fits else row

    def longest(self, key: str) -> list[PromptedExample]:
        """Stand-ins for the longest forms that an utterance could ever be drawn in, one for each text layout."""
        row = self.by_key[key]
        wanted = self.data[row.entry].variants if row.entry in self.data else {"text": 1.0}
        variants = [name for name, share in wanted.items() if share > 0 and name in row.text_tokens] or ["text"]
        variant = max(variants, key=lambda name: row.text_tokens[name])
        reference = self._longest_reference(row) if self.prompt.in_context > 0 else None
        language = self.tag(row.language) if self.prompt.language_tag > 0 else None
        layouts = [
            name for name, share in ((True, self.prompt.streamed), (False, 1 - self.prompt.streamed)) if share > 0
        ]
        return [
            self._outline(row, Choice(variant, streamed, reference is not None, reference, language))
            for streamed in layouts
        ]

    def _longest_reference(self, row: Row) -> str | None:
        if row.reference is not None:
            fixed = self._reference(row, 0.0, fits=True)
            return fixed.key if fixed is not None else None
        groups = [self.voices.get((row.entry, row.speaker, split, True)) for split in {row.split, ANY}]
        fitting = [other for group in groups if group is not None for other in group.rows if other.key != row.key]
        longest = max(fitting, key=lambda other: other.frames + other.text_tokens["text"], default=None)
        return longest.key if longest is not None else None

    def outline(self, draw: Draw) -> PromptedExample:
        """A stand-in with the right lengths and no contents: enough for `SpeechModel.rows`, nothing is
        loaded."""
        return self._outline(self.by_key[draw.key], self.choose(draw))

    def _outline(self, row: Row, choice: Choice) -> PromptedExample:
        reference = self.by_key[choice.reference] if choice.in_context and choice.reference else None
        return PromptedExample(
            example=_hollow(row),
            text_ids=(0,) * row.text_tokens[choice.variant],
            speaker_embedding_H=None,
            reference=_hollow(reference) if reference is not None else None,
            reference_text_ids=(0,) * reference.text_tokens["text"] if reference is not None else (),
            language=choice.language,
            streamed=choice.streamed,
            end=not row.cut,
        )

    def prompted(
        self, corpus: Corpus, draw: Draw, text_of: str | None = None, chance: Chance | None = None
    ) -> PromptedExample:
        """The example of one draw with every choice made.

        Given: text_of, key of another utterance whose text takes the place of the right one (text gain);
        chance, as for `choose`.
        """
        choice = self.choose(draw, chance)
        example = corpus.example(draw.key)
        voice = corpus.example(choice.reference) if choice.reference is not None else None
        text = example.text_ids[choice.variant]
        if text_of is not None:
            other = corpus.example(text_of)
            text = other.text_ids[choice.variant if choice.variant in other.text_ids else "text"]
        return PromptedExample(
            example=example,
            text_ids=text,
            speaker_embedding_H=voice.speaker_embedding_H if voice is not None else None,
            reference=voice if choice.in_context else None,
            reference_text_ids=voice.text_ids["text"] if choice.in_context and voice is not None else (),
            language=choice.language,
            streamed=choice.streamed,
            end=not example.cut,
        )


def _hollow(row: Row) -> Example:
    import numpy as np

    return Example(
        id=row.id,
        entry=row.entry,
        speaker=row.speaker,
        language=row.language,
        split=row.split,  # type: ignore[arg-type]
        seconds=row.seconds,
        codes_FQ=np.broadcast_to(np.int16(0), (row.frames, 1)),
        speaker_embedding_H=None,
        text_ids={},
        spoken={},
        cut=row.cut,
    )
