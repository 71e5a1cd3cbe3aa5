"""How much a run will write: an estimate from the recipe, each part with the assumption that it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from kathrine.components import SourceContext
from kathrine.corpus.prepared import known_folder
from kathrine.corpus.sourcing import entry_context
from kathrine.datafiles import on_disk
from kathrine.progress import SilentProgress
from kathrine.recipe.plan import Plan
from kathrine.recipe.recipe import DataEntry, Recipe
from kathrine.types import ModelFacts
from kathrine.workspace import Workspace

HOURS = 100.0
"""Taken for an entry without `max_hours` whose size nobody knows."""
CODE_BYTES = 2 * 2
"""A code is an int16, kept twice: in the cache and in the corpus."""
BESIDE_CODES_PER_HOUR = 9.12e6
"""The corpus' other columns and the cache's: speaker embeddings of 4 kB and texts of 700 utterances."""
CORPUS_PAGE = 40e6
"""`corpus.html` with its sound, and figures."""
SECONDS_PER_UTTERANCE = 6.0
CODEC, RECOGNISER = 0.7e9, 3.1e9
"""The speech tokenizer beside the model's weights; `prepare.asr_model` as large as Whisper's largest."""
PARAMETERS = 2.0e9
"""Of a model whose configuration is not at hand."""
FRAMES_PER_SECOND, CODEBOOKS, SAMPLE_RATE = 12.5, 16, 24_000
"""Of such a model too: the usual rates of speech tokenizers of this kind."""
SAMPLE_BYTES = 2
"""Spoken sentences are 16-bit WAV files."""


@dataclass(frozen=True, slots=True)
class Written:
    """One part. folder: whether it lies in the workspace or in the run folder. how: the assumption, for people."""

    what: str
    bytes: float
    folder: Literal["workspace", "run"]
    how: str
    files: int = 0


def context_of(entry: DataEntry, recipe: Recipe, workspace: Workspace) -> SourceContext:
    """What a source is told when it is asked about, not used: its folder is not made."""
    folder = workspace.root / "sources" / entry.source.name
    return entry_context(entry, recipe, folder, workspace, SilentProgress())


def estimate(recipe: Recipe, workspace: Workspace, plan: Plan | None) -> tuple[list[Written], list[str]]:
    """What is still to come, and sentences about what is not counted because nobody knows it.

    Given: plan, None where the recipe's claims do not fit together.
    """
    parts: list[Written] = []
    unknown: list[str] = []
    facts = recipe.model.facts(workspace)
    hours = hours_of(recipe, plan)
    if known_folder(recipe, workspace) is None:
        for entry in recipe.data:
            wanted = entry.source.bytes_to_fetch(context_of(entry, recipe, workspace))
            if wanted is None:
                unknown.append(f"data.{entry.name}: source {entry.source.name} does not say how much it will fetch")
            elif wanted:
                files = round(hours * 3600 / SECONDS_PER_UTTERANCE)
                parts.append(Written(f"data.{entry.name}", wanted, "workspace", "as its source says", files))
        each = corpus_per_hour(facts)
        corpus = max(0.0, hours * each + CORPUS_PAGE - on_disk(workspace.root / "corpus"))
        parts.append(Written("corpus", corpus, "workspace", f"{each / 1e6:.0f} MB for each of {hours:.0f} h"))
    if not recipe.model.at_hand(workspace):
        count = plan.model_parameters if plan and plan.model_parameters else PARAMETERS
        told = f"{count / 1e9:.1f} G parameters in bf16, and a speech tokenizer"
        parts.append(Written("model", 2 * count + CODEC, "workspace", told))
    if recipe.prepare.asr_model and "/" in recipe.prepare.asr_model and not recipe.prepare.asr_model.startswith("/"):
        parts.append(Written("recogniser", RECOGNISER, "workspace", "as large as Whisper's largest"))
    codec = CODEC if facts is None or facts.released else 0.0  # that of a small model is small
    frames_per_second = facts.frames_per_second if facts else FRAMES_PER_SECOND
    updates = updates_of(recipe, plan, hours, frames_per_second)
    parts += run_parts(recipe, plan, updates, codec, facts.sample_rate if facts else SAMPLE_RATE)
    if plan is None or plan.trained_parameters is None:
        unknown.append("checkpoints and exports: what would be trained is not known yet")
    return [part for part in parts if part.bytes], unknown


def corpus_per_hour(facts: ModelFacts | None) -> float:
    """Bytes of a corpus and its cache for an hour of speech; facts: None where the configuration is not at hand."""
    codes_per_second = facts.frames_per_second * facts.codebooks if facts else FRAMES_PER_SECOND * CODEBOOKS
    return 3600 * codes_per_second * CODE_BYTES + BESIDE_CODES_PER_HOUR


def hours_of(recipe: Recipe, plan: Plan | None) -> float:
    """Accepted audio of all entries: as prepared, else as limited, else assumed."""
    known = {size.name: size.seconds for size in plan.data} if plan else {}
    return sum(
        seconds / 3600 if (seconds := known.get(entry.name)) is not None else entry.table.max_hours or HOURS
        for entry in recipe.data
    )


def updates_of(recipe: Recipe, plan: Plan | None, hours: float, frames_per_second: float = FRAMES_PER_SECOND) -> int:
    """About how many updates the run makes: what the stages say, epochs counted in utterances of six seconds."""
    batch = recipe.train.batch
    rows = (
        SECONDS_PER_UTTERANCE * frames_per_second * 1.3
    )  # frames and text of an utterance, where a batch is counted in rows
    examples = batch.examples if batch.examples is not None else max(1.0, (batch.frames or 0) / rows)
    utterances = hours * 3600 / SECONDS_PER_UTTERANCE
    total = 0.0
    for stage in plan.stages if plan else ():
        steps = stage.steps
        total += (
            steps if steps is not None else (stage.epochs or 0) * utterances / (examples * recipe.train.accumulation)
        )
    return max(1, round(total))


def kept_checkpoints(recipe: Recipe, updates: int) -> int:
    """Checkpoints on the disk at most, the best one and the one that is being written included."""
    train = recipe.train
    lasting = len(train.keep_epochs) + (updates // train.keep_every if train.keep_every else 0)
    return min(train.keep_last + 1 + lasting, updates // train.checkpoint_every + 1) + 1


def run_parts(
    recipe: Recipe, plan: Plan | None, updates: int, codec: float, sample_rate: int = SAMPLE_RATE
) -> Iterator[Written]:
    """What comes into the run folder. codec: bytes of the speech tokenizer, of which every complete model has a copy;
    sample_rate: in Hz, of spoken sentences."""
    speak, validation = recipe.speak, recipe.validation
    count = len(speak.sentences) or speak.count
    times = updates // (speak.every or validation.every) + 2
    told = f"{times} times {count} sentences of {speak.max_seconds:g} s at most"
    yield Written("samples", times * count * speak.max_seconds * sample_rate * SAMPLE_BYTES, "run", told, times * count)
    if plan is None or plan.trained_parameters is None:
        return
    trained, whole = plan.trained_parameters, plan.model_parameters or 0
    each = trained * (4 + 8 + 4 + (4 if recipe.train.ema else 0))
    number = kept_checkpoints(recipe, updates)
    yield Written("checkpoints", number * each, "run", f"{number} kept or being written, weights and optimizer in fp32")
    names = exported(recipe)
    complete = sum(wide for wide in names if wide)
    exports = complete * whole + len([wide for wide in names if wide]) * codec + 4 * trained * names.count(0)
    yield Written("exports", exports, "run", "a complete model where strategies are folded in, else what was trained")


def exported(recipe: Recipe) -> Sequence[int]:
    """Bytes of a weight for each exporter that writes a complete model, 0 for one that writes what was trained; those
    that give away what the others wrote count nothing."""
    return [
        (4 if getattr(one.options, "dtype", "bf16") == "fp32" else 2) if one.folds else 0
        for one in recipe.exporters
        if not one.publishes
    ]
