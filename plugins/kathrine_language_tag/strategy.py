"""The strategy `language_tag`: one new vector in the prompt says which language is spoken.

The vector is a parameter of its own that the prompt layout puts in. Training one row of the codec
embedding with masked gradients would not do: weight decay and Adam's moments move every other row as well.

Legend: R rows (languages started from), H width of the talker.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from pydantic import Field

from kathrine.components import SpeechModel, Strategy, StrategyOptions
from kathrine.errors import KathrineError
from kathrine.inspect.rows import row_verdicts
from kathrine.types import Claim, ModelFacts, ParameterSpec

if TYPE_CHECKING:
    import torch

TABLE_PART = "codec_embedding"
UNKNOWN = -1
"""In `languages()` before a claim: which row it will be is not known."""


def rescaled_mean(rows_RH: torch.Tensor) -> torch.Tensor:
    """The mean of some rows, brought to their mean norm (a plain mean is shorter than what it is made of).

    Given float [R, H]; returns float32 [H]. Rows that cancel out to zero give zero.
    """
    rows_RH = rows_RH.float()
    mean_H = rows_RH.mean(dim=0)
    norm = mean_H.norm()
    return mean_H if norm == 0 else mean_H * (rows_RH.norm(dim=1).mean() / norm)


class LanguageTagOptions(StrategyOptions):
    """weight_decay stays 0 unless you have a reason: it pulls the tag towards no language at all."""

    language: str = Field(default="norwegian", min_length=1)
    """Name of the language, as prompts ask for it."""
    row: int | None = Field(default=None, ge=0)
    """Id of the tag: a free row of the codec embedding above the codes. Left out, the first row that the model's family
    knows to be free; where there is none any more, that of the language, to train it further."""
    start_from: list[str] = Field(default_factory=lambda: ["german", "english"])
    """Languages of the model whose tags are averaged for the first value; empty starts from the row as it
    is."""


class LanguageTag(Strategy):
    """A language tag as its own float32 vector, written into its row at export."""

    name = "language_tag"
    Options = LanguageTagOptions
    options: LanguageTagOptions

    def __init__(self, options: Any = None, label: str = "") -> None:
        super().__init__(options, label)
        self._model: SpeechModel | None = None
        self._vector_H: torch.nn.Parameter | None = None
        self._table = ""
        self._row: int | None = self.options.row

    @property
    def row(self) -> int:
        """Id of the tag. Raises: KathrineError where it is not known yet."""
        if self._row is None:
            raise KathrineError(f"strategy.{self.label} has claimed no row yet", "claim on a model first, or set row")
        return self._row

    @property
    def language(self) -> str:
        return self.options.language.lower()

    def problems(self) -> Iterator[str]:
        if "." in self.language:
            yield f"language: {self.language!r} may not hold a dot"
        if self.language == "auto":
            yield "language: 'auto' is what a prompt without a tag is called"

    def claim(self, parameters: Sequence[ParameterSpec], facts: ModelFacts) -> Claim:
        if not facts.language_tags:
            raise KathrineError(
                f"strategy.{self.label}: prompts of {facts.family} can not name a language, so a tag would say nothing",
                "leave the strategy out; the model learns the language without one",
            )
        # a table with rows for its codes alone has no room for tags
        tables = [
            spec
            for spec in parameters
            if spec.part == TABLE_PART and len(spec.shape) == 2 and spec.shape[0] > facts.codebook_size
        ]
        if not tables:
            raise KathrineError(
                f"strategy.{self.label}: {facts.checkpoint} has no language tags",
                f"leave the strategy out; the model's parts: {', '.join(facts.parts)}",
            )
        rows, width = tables[0].shape
        self._row = self._chosen_row(facts)
        self._check_row(rows, facts)
        self._check_start(facts)
        spec = ParameterSpec(f"language_tag.{self.language}", (width,), "language_tag")
        return Claim(
            strategy=self.label,
            trains=(),
            adapts=(),
            adds=(spec,),
            lr=self.options.lr,
            weight_decay=self.options.weight_decay,
        )

    def _chosen_row(self, facts: ModelFacts) -> int:
        if self.options.row is not None:
            return self.options.row
        if facts.free_rows:
            return facts.free_rows[0]
        present = _row_of(self.language, facts)
        if present is None:
            raise KathrineError(
                f"strategy.{self.label}: it is not known which row of {facts.checkpoint} is free", "set row"
            )
        return present

    def _check_row(self, rows: int, facts: ModelFacts) -> None:
        free = f"; {facts.free_rows[0]} is free" if facts.free_rows else ""
        if not facts.codebook_size <= self.row < rows:
            raise KathrineError(
                f"strategy.{self.label}: row {self.row} can not hold a language tag",
                f"rows below {facts.codebook_size} are codes, the table ends at {rows - 1}{free}",
            )
        present = _row_of(self.language, facts)
        if present is not None and present != self.row:
            raise KathrineError(
                f"strategy.{self.label}: the model has a tag for {self.language} already, row {present}",
                f"set row = {present} to train that one further, or name another language",
            )
        taken = facts.taken_rows.get(self.row)
        if taken is not None and present is None:
            raise KathrineError(
                f"strategy.{self.label}: row {self.row} is taken by {taken}", f"choose a free row{free}"
            )

    def _check_start(self, facts: ModelFacts) -> None:
        known = {language.lower() for language in facts.languages}
        missing = [language for language in self.options.start_from if language.lower() not in known]
        if missing:
            raise KathrineError(
                f"strategy.{self.label}: start_from names {', '.join(missing)}, for which {facts.checkpoint} "
                "has no language tag",
                f"its languages: {', '.join(facts.languages) or 'none'}",
            )

    def doubts(self, model: SpeechModel) -> Iterator[str]:
        row = self.row
        if model.language_id(self.language) == row:
            return  # trained further: it is meant to be trained
        meanings = model.row_meanings()
        why = row_verdicts(model.originals[model.language_table()], meanings, [row]).get(row)
        if why:
            yield (
                f"row {row} looks trained: {why}; it may mean something that no configuration names: "
                "`kathrine inspect MODEL --rows` lists rows that look untrained"
            )

    def apply(self, model: SpeechModel, claim: Claim, seed: int) -> dict[str, torch.nn.Parameter]:
        self._model, self._table = model, model.language_table()
        table_VH = model.originals[self._table].detach()
        if model.language_id(self.language) is not None or not self.options.start_from:
            start_H = table_VH[self.row].float()
        else:
            ids = [model.language_id(language) for language in self.options.start_from]
            start_H = rescaled_mean(table_VH[[row for row in ids if row is not None]])
        self._vector_H = model.add_language(self.language, self.row, start_H.clone())
        return {claim.adds[0].name: self._vector_H}

    def off(self) -> AbstractContextManager[None]:
        """Within it the model has no tag for the language: prompts built here that name it are built as auto.

        A batch that was collated before keeps its tag: collate inside.
        """
        if self._model is None:
            raise KathrineError(f"strategy.{self.label} was not applied", "apply it to a model first")
        return self._model.mute_language(self.language)

    def fold(self, weights: dict[str, torch.Tensor]) -> None:
        if self._vector_H is None:
            raise KathrineError(f"strategy.{self.label} was not applied", "apply it to a model first")
        table_VH = weights[self._table].clone()
        table_VH[self.row] = self._vector_H.detach().to(table_VH)
        weights[self._table] = table_VH

    def languages(self) -> Mapping[str, int]:
        return {self.language: self._row if self._row is not None else UNKNOWN}


def _row_of(language: str, facts: ModelFacts) -> int | None:
    """The row of a language's tag in the model, or None where it has none."""
    return {name.lower(): row for name, row in facts.languages.items()}.get(language)
