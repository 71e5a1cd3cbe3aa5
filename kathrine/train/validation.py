"""Held-out losses: always the same utterances, in the same prompt forms, with nothing drawn.

The score that `best` goes by is the plain mean of the talker losses of the data entries, so that a large
corpus does not outvote a small one. Text gain is the talker loss with another utterance's text minus the loss
with the right text: near zero means that the model does not listen to the text, whatever its loss.

Legend: B items, N rows with a target.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from kathrine.components import Loss, SpeechModel
from kathrine.corpus.batching import pack
from kathrine.corpus.mixture import HIDDEN, Corpus, Draw, shuffled
from kathrine.corpus.prompting import Chance, Prompter
from kathrine.recipe.tables import BatchTable, ValidationTable
from kathrine.train.base import BaseModel
from kathrine.train.processes import Processes
from kathrine.train.report import form_names
from kathrine.train.step import auxiliary_term, talker_losses
from kathrine.types import PromptedExample

HELD_OUT = -1
"""Stage index of held-out draws: their prompt forms never change."""
EVERYTHING = ""
"""Group of all held-out utterances together; its metrics are named `validation.LOSS`."""


def held_out_keys(corpus: Corpus, table: ValidationTable, seed: int) -> dict[str, list[str]]:
    """Held-out utterances by data entry, at most `utterances` each, drawn once and for all."""
    keys: dict[str, list[str]] = {entry: [] for entry in corpus.entries}
    for row in corpus.rows:
        if row.split == "validation" and not row.id.startswith(HIDDEN):
            keys[row.entry].append(row.key)
    return {entry: shuffled(found, seed, "held out")[: table.utterances] for entry, found in keys.items() if found}


def spread_chance(prompter: Prompter, draw: Draw, number: int) -> Chance:
    """Numbers that spread prompt forms evenly over few utterances, so that every form is measured.

    An additive recurrence in three dimensions with irrational steps (M. Roberts, 2018: powers of the root of
    x^4 = x + 1), one each for prompt form, text layout and language tag; the rest is drawn as always.
    """
    steps = {"in_context": 0.8191725134, "streamed": 0.6710436067, "language": 0.5497004779}
    drawn = prompter.chance(draw)
    return lambda what: (0.5 + steps[what] * number) % 1 if what in steps else drawn(what)


def another_text(corpus: Corpus, keys: Sequence[str], number: int) -> str | None:
    """The next of `keys` after `number`, round and round, that says something else; None where all say the same."""
    own = corpus.example(keys[number]).text_ids["text"]
    for key in (*keys[number + 1 :], *keys[:number]):
        if corpus.example(key).text_ids["text"] != own:
            return key
    return None


def batches_of(
    model: SpeechModel, items: Sequence[PromptedExample], batch: BatchTable, seed: int
) -> list[list[PromptedExample]]:
    """Items in batches of similar length."""
    rows = [model.rows(item) for item in items]
    if batch.frames is not None and rows:
        batch = BatchTable(frames=max(batch.frames, *rows))
    draws = [Draw(str(number), HELD_OUT, 0) for number in range(len(items))]
    return [[items[int(draw.key)] for draw in one] for one in pack(draws, rows, batch, seed, "held out")]


class Validator:
    """Measures held-out losses. Examples are kept, so that nothing is read while a feed reads ahead."""

    def __init__(
        self,
        model: SpeechModel,
        losses: Sequence[Loss],
        corpus: Corpus,
        prompter: Prompter,
        table: ValidationTable,
        batch: BatchTable,
        processes: Processes,
        base: BaseModel | None = None,
    ) -> None:
        self.model, self.losses, self.processes = model, losses, processes
        self.base = base
        self.keys = held_out_keys(corpus, table, prompter.seed)
        right: list[PromptedExample] = []
        pairs: list[tuple[PromptedExample, PromptedExample]] = []
        for keys in self.keys.values():
            for number, key in enumerate(keys):
                draw = Draw(key, HELD_OUT, 0)
                chance = spread_chance(prompter, draw, number)
                item = prompter.prompted(corpus, draw, chance=chance)
                right.append(item)
                if number < table.text_gain_utterances:
                    other = another_text(corpus, keys, number)
                    if other is not None:
                        pairs.append((item, prompter.prompted(corpus, draw, other, chance)))
        self.items = right
        self.pairs = pairs
        self.without_gain = [
            entry
            for entry, keys in self.keys.items()
            if table.text_gain_utterances and not any(item.example.entry == entry for item, _ in pairs)
        ]
        self.right = batches_of(model, right, batch, prompter.seed)
        self.gained = {id(item) for item, _ in pairs}
        self.wrong = batches_of(model, [wrong for _, wrong in pairs], batch, prompter.seed)

    def __bool__(self) -> bool:
        return bool(self.items)

    def run(self) -> tuple[dict[str, Any], float]:
        """Metrics `validation.WHERE.LOSS` (`validation.LOSS` for all utterances together) and the score.

        WHERE is a data entry, `form.FORM` or `layout.LAYOUT` (see ModelFacts); LOSS is `talker`, `text_gain` or the
        label of an auxiliary loss. None stands for a loss that could not be computed or is not finite; the score is
        then not finite either. The network is left in the mode in which it was.
        """
        groups = self._groups()
        place = {name: number for number, name in enumerate(groups)}
        labels = ["talker", *(loss.label for loss in self.losses), "gain.right", "gain.wrong"]
        # [group, label, (sum, count)]
        table = torch.zeros(len(groups), len(labels), 2, dtype=torch.float64, device=self.processes.device)
        was_training = self.model.network.training
        self.model.network.eval()
        try:
            with torch.no_grad(), self.processes.autocast():
                for batch in self.right[self.processes.rank :: self.processes.size]:
                    self._measure(batch, place, table, wrong_text=False)
                for batch in self.wrong[self.processes.rank :: self.processes.size]:
                    self._measure(batch, place, table, wrong_text=True)
        finally:
            self.model.network.train(was_training)
        numbers = self.processes.sum_on_device(table).tolist()
        return self._metrics(groups, labels, numbers)

    def _groups(self) -> list[str]:
        return [*self.keys, *form_names(self.model.facts), EVERYTHING]

    def _measure(
        self,
        items: Sequence[PromptedExample],
        place: Mapping[str, int],
        table: torch.Tensor,
        wrong_text: bool,
    ) -> None:
        device = self.processes.device
        batch = self.model.collate(items).to(device)
        outputs = self.model.forward(batch)
        if self.base is not None and not wrong_text:
            base_batch = self.base.collate(items, batch)
            self.base.add_logits(outputs, self.base.logits(base_batch.to(device) if base_batch is not None else None))
        losses_N = talker_losses(outputs).double()
        blank_B = torch.zeros(len(items), dtype=torch.float64, device=device)
        sums_B = blank_B.index_add(0, outputs.item_N, losses_N)
        counts_B = blank_B.index_add(0, outputs.item_N, torch.ones_like(losses_N))
        right, wrong = table.shape[1] - 2, table.shape[1] - 1
        if wrong_text:
            self._add(table, place, items, wrong, sums_B, counts_B)
            return
        self._add(table, place, items, 0, sums_B, counts_B)
        chosen_B = torch.tensor([float(id(item) in self.gained) for item in items], device=device)
        self._add(table, place, items, right, sums_B * chosen_B, counts_B * chosen_B)
        for number, loss in enumerate(self.losses, start=1):
            term = auxiliary_term(loss, self.model, batch, outputs, None)
            if term is None:
                continue
            if term.sums_B is not None and term.counts_B is not None:
                self._add(table, place, items, number, term.sums_B.double(), term.counts_B.double())
            else:
                table[place[EVERYTHING], number, 0] += term.total.double()
                table[place[EVERYTHING], number, 1] += loss.denominator(batch, self.model.facts)

    def _add(
        self,
        table: torch.Tensor,
        place: Mapping[str, int],
        items: Sequence[PromptedExample],
        label: int,
        sums_B: torch.Tensor,
        counts_B: torch.Tensor,
    ) -> None:
        for names in (
            [item.example.entry for item in items],
            [f"form.{self.model.facts.form_of(item.reference is not None)}" for item in items],
            [f"layout.{item.layout}" for item in items],
            [EVERYTHING] * len(items),
        ):
            where_B = torch.tensor([place[name] for name in names], device=table.device)
            table[:, label, 0].index_add_(0, where_B, sums_B)
            table[:, label, 1].index_add_(0, where_B, counts_B)

    def _metrics(
        self, groups: Sequence[str], labels: Sequence[str], numbers: list[list[list[float]]]
    ) -> tuple[dict[str, Any], float]:
        metrics: dict[str, Any] = {}
        for group, row in zip(groups, numbers, strict=True):
            if not row[0][1]:
                continue  # no utterance in this form
            means = {label: _mean(total, count) for label, (total, count) in zip(labels, row, strict=True)}
            name = f"validation.{group}" if group != EVERYTHING else "validation"
            for label in labels[:-2]:
                metrics[f"{name}.{label}"] = means[label]
            if means["gain.wrong"] is not None and means["gain.right"] is not None:
                metrics[f"{name}.text_gain"] = means["gain.wrong"] - means["gain.right"]
        talker = [metrics[f"validation.{entry}.talker"] for entry in self.keys]
        known = [loss for loss in talker if loss is not None]
        score = sum(known) / len(known) if len(known) == len(talker) else math.nan
        metrics["validation.score"] = score if known == talker else None
        return metrics, score


def _mean(total: float, count: float) -> float | None:
    """None where nothing was counted, and where the sum is not finite: metrics are JSON."""
    return total / count if count and math.isfinite(total) else None
