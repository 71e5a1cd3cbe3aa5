"""Which batches a recipe will make, as far as it is known before the corpus is: the largest one and the usual one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from kathrine.inspect import fit_table as table
from kathrine.inspect.fit_layers import Load
from kathrine.recipe.recipe import Recipe


def longest_seconds(recipe: Recipe, facts: Mapping[str, Any] | None) -> tuple[float, bool]:
    """The longest utterance that a batch may hold, and whether it is known from a prepared corpus.

    Given: facts of the corpus prepared for this recipe, or None. Without them, and where an entry does not say,
    `prepare.max_seconds` counts.
    """
    entries = (facts or {}).get("entries", {})
    found = [
        entries.get(entry.name, {}).get("splits", {}).get("train", {}).get("longest_seconds") for entry in recipe.data
    ]
    known = [float(seconds) for seconds in found if seconds is not None]
    if len(known) == len(found) and known:
        return max(known), True
    return recipe.prepare.max_seconds, False


def worst_load(recipe: Recipe, frames_per_second: float, seconds: float) -> Load:
    """The batch of the largest rectangle: every item at the longest, in the prompt that takes most rows.

    With a batch counted in rows, it is full of items that have nothing but frames in it, as far as possible: those have
    most targets. One process is assumed.
    """
    batch, frames = recipe.train.batch, math.ceil(seconds * frames_per_second)
    if batch.frames is not None:
        items = max(1, batch.frames // (frames + table.PROMPT_ROWS))
        longest = min(batch.frames, _longest_rows(recipe, frames_per_second, seconds))
        return Load(items, max(batch.frames, longest), longest, items * (frames + 1), items * frames)
    items = batch.examples or 1
    longest = _longest_rows(recipe, frames_per_second, seconds)
    return Load(items, items * longest, longest, items * (frames + 1), items * frames)


def _longest_rows(recipe: Recipe, frames_per_second: float, seconds: float) -> int:
    """Input rows of one item of this length: in context and whole where `[prompt]` has these forms."""
    prompt = recipe.prompt
    reference = prompt.max_reference_seconds if prompt.in_context > 0 else 0.0
    text = math.ceil(table.TOKENS_PER_SECOND * (seconds + reference)) if prompt.streamed < 1 else 0
    return math.ceil((seconds + reference) * frames_per_second) + text + table.PROMPT_ROWS


def usual_load(recipe: Recipe, frames_per_second: float, seconds: float) -> Load:
    """A batch of the mean length. Given: seconds, the mean of an utterance."""
    prompt, batch = recipe.prompt, recipe.train.batch
    reference = prompt.in_context * min(seconds, prompt.max_reference_seconds)
    text = (1 - prompt.streamed) * table.TOKENS_PER_SECOND * (seconds + reference)
    rows = (seconds + reference) * frames_per_second + text + table.PROMPT_ROWS
    items = batch.examples if batch.examples is not None else max(1, int((batch.frames or 1) / rows))
    frames = round(items * seconds * frames_per_second)
    return Load(items, round(items * rows), round(rows), frames + items, frames)


def mean_seconds(sizes: Any) -> tuple[float, bool]:
    """Mean length of an utterance over data entries, and whether it is known.

    Given: sizes, the plan's data entries.
    """
    if sizes and all(size.utterances and size.seconds is not None for size in sizes):
        return sum(size.seconds for size in sizes) / sum(size.utterances for size in sizes), True
    return table.SECONDS_PER_UTTERANCE, False
