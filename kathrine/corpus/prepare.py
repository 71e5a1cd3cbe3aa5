"""`kathrine prepare`: from the recipe's sources to a prepared corpus, in numbered steps.

What was computed is kept in stores by key, so that a second run computes nothing, a changed option only what
it concerns, and a killed run goes on where it stopped. Memory holds rows, never the audio or codes of all of
them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kathrine.components import SourceContext
from kathrine.corpus import keys, sourcing
from kathrine.corpus.assemble import assemble, content_digest
from kathrine.corpus.audio import Conditioning
from kathrine.corpus.encode import Encoders, encode
from kathrine.corpus.files import locked, write_json
from kathrine.corpus.gates import gates_of
from kathrine.corpus.listing import Listing
from kathrine.corpus.measure import Sounds, Texts, chunks, measure_and_choose
from kathrine.corpus.model_gates import Judge, open_judges
from kathrine.corpus.page import write_page
from kathrine.corpus.prepared import REFERENCE_ID, PreparedCorpus
from kathrine.corpus.report import corpus_facts, entry_facts, shortfall_notes, tell, tell_damaged
from kathrine.corpus.rows import Row, list_rows
from kathrine.corpus.select import fix_where_drawing_fails, fixed_references, hold_out
from kathrine.corpus.spool import Spool
from kathrine.corpus.stores import Stores
from kathrine.corpus.text import rules_key
from kathrine.corpus.verdicts import verdicts_digest
from kathrine.corpus.voices import file_reference, own_references, prefer_utterances
from kathrine.corpus.workers import Workers
from kathrine.errors import KathrineError
from kathrine.types import Fingerprints, ModelFacts, Part

if TYPE_CHECKING:
    from kathrine.components import Progress
    from kathrine.recipe.recipe import DataEntry, Recipe
    from kathrine.workspace import Workspace


@dataclass(slots=True)
class Bench:
    """What every entry is prepared with. part: this machine's share of the work, None for all of it. listing: what
    shards have listed, where a merge goes by that."""

    recipe: Recipe
    workspace: Workspace
    progress: Progress
    facts: ModelFacts
    fingerprints: Fingerprints
    stores: Stores
    sounds: Sounds
    texts: Texts
    spool: Spool
    judges: Sequence[Judge]
    part: Part | None = None
    listing: Listing | None = None


def prepare(recipe: Recipe, workspace: Workspace, progress: Progress) -> PreparedCorpus:
    """Prepare the recipe's corpus, or open it where it is prepared already.

    Given: a recipe; the workspace, whose `corpus` folder takes stores and corpora. Returns: the corpus,
    opened. Raises: KathrineError where a source, the model or the workspace fails, or where nothing is left
    of the data."""
    return PreparedCorpus.open(prepare_folder(recipe, workspace, progress))


def prepare_folder(recipe: Recipe, workspace: Workspace, progress: Progress) -> Path:
    """As `prepare`, the folder of the corpus: what is held of every row while it is made ends with this."""
    # 1. The model: what its codes, voices and texts depend on.
    facts, fingerprints = model_facts(recipe, workspace, progress)

    with locked(workspace.corpus / "lock", progress.say), Workers(recipe.prepare.workers) as workers:
        # 2. What was computed before; what a killed run left half-written is cleared away.
        for left in workspace.corpus.glob(".prepared-*.tmp"):
            shutil.rmtree(left)
        bench = make_bench(recipe, workspace, progress, facts, fingerprints, workspace.corpus, workers)
        bench.listing = Listing.find(recipe, workspace)
        stores, settings = bench.stores, bench.sounds.settings

        # 3. Each entry: fetch (all of them first: a mistake in the last one is not found after hours of listening);
        # then list, normalise, measure, gate, choose, hold out, find references. Where shards did it, nothing is
        # fetched, and their listing is read.
        for entry in recipe.data if bench.listing is None else ():
            sourcing.fetch(entry, source_context(entry, bench))
        everything: list[Row] = []
        examples: list[Row] = []
        told = {}
        for entry in recipe.data:
            rows, hidden, notes, left_out = prepare_entry(entry, bench)
            everything += rows
            examples += [row for row in rows if row.kept] + hidden
            told[entry.name] = entry_facts(entry.source.name, rows, notes, left_out)
            tell_damaged(entry.name, rows, progress)
        stores.flush()
        rules, verdicts = rules_key(recipe.language), verdicts_digest(everything)
        facts_of_corpus = corpus_facts(facts, fingerprints, settings.key(), rules, told, verdicts)
        refuse_empty(recipe, facts_of_corpus)

        # 4. Encode what is not in the stores, and write the corpus under the name of its content.
        for row in examples:
            set_keys(row, fingerprints, facts)
        fingerprint = content_digest(examples, facts_of_corpus)
        folder = workspace.corpus / f"prepared-{fingerprint[:20]}"
        if not (folder / "complete.json").is_file():
            encode(examples, stores, encoders_of(bench), settings, recipe.prepare, workers, progress)
            assemble(folder, examples, everything, facts_of_corpus, fingerprint, stores)
        recipes = workspace.corpus / "recipes"
        recipes.mkdir(exist_ok=True)
        write_json(recipes / f"{keys.recipe_key(recipe)}.json", {"corpus": folder.name})

    # 5. Say what became of it, and write the page that shows it.
    tell(facts_of_corpus, recipe.prepare, progress)
    write_page(folder, facts_of_corpus, recipe.prepare, settings)
    return folder


def model_facts(recipe: Recipe, workspace: Workspace, progress: Progress) -> tuple[ModelFacts, Fingerprints]:
    """Fetch the model; what it is, and what its codes, voices and texts depend on."""
    recipe.model.fetch(workspace, progress, offline=recipe.run.offline)
    facts = recipe.model.facts(workspace)
    if facts is None:
        raise KathrineError(f"the configuration of model.{recipe.model.label} is not at hand", "name a checkpoint")
    return facts, recipe.model.fingerprints(workspace)


def make_bench(
    recipe: Recipe,
    workspace: Workspace,
    progress: Progress,
    facts: ModelFacts,
    fingerprints: Fingerprints,
    folder: Path,
    workers: Workers,
    part: Part | None = None,
) -> Bench:
    """What entries are prepared with, on the stores below `folder`, whose lock must be held."""
    stores = Stores.open(folder)
    settings = Conditioning.of(recipe.prepare, facts.sample_rate)
    sounds = Sounds(stores, settings, workers, find_noise=recipe.prepare.min_snr_db > 0)
    texts = Texts(stores, recipe.language, fingerprints.text, lambda: recipe.model.open_text(workspace))
    device = device_of(recipe) if recipe.prepare.asr_model else "cpu"
    judges = open_judges(recipe, workspace, sounds, device, progress)
    return Bench(recipe, workspace, progress, facts, fingerprints, stores, sounds, texts, Spool(folder), judges, part)


def encoders_of(bench: Bench) -> Encoders:
    """The model's encoders, opened when they are first needed."""
    model, workspace = bench.recipe.model, bench.workspace
    return Encoders(
        lambda: model.open_codec(workspace, device_of(bench.recipe)),
        lambda: model.open_speaker_encoder(workspace, device_of(bench.recipe)),
        bench.facts,
    )


def prepare_entry(entry: DataEntry, bench: Bench) -> tuple[list[Row], list[Row], list[str], dict[str, int]]:
    """All rows of an entry with their verdicts, its hidden references, notes, and what its source left out, by
    reason."""
    recipe, table, progress = bench.recipe, entry.table, bench.progress
    if bench.listing is None:
        utterances = sourcing.listed(entry, source_context(entry, bench))
    else:
        utterances = bench.listing.utterances(entry.name)
    rows, notes = list_rows(entry.name, table, utterances, bench.facts, bench.fingerprints, bench.stores, bench.spool)
    if bench.listing is None:
        left_out = sourcing.left_out(entry)
    else:
        bench.listing.tell(entry.name, rows)
        left_out = bench.listing.left_out(entry.name)
    variants = wanted_variants(entry, rows)
    for portion in chunks([row for row in rows if row.kept]):
        bench.texts.take(portion, variants, recipe.prepare)
    has_voice = bool(bench.fingerprints.speaker)
    hidden, more = voices_of(entry, bench, rows)
    notes += more

    drop = recipe.prepare.single_utterance_speakers == "drop"
    description, gates = f"listening to {entry.name}", gates_of(entry, recipe.prepare)
    needs_other = has_voice and drop
    measure_and_choose(rows, table, gates, bench.sounds, needs_other, progress, description, bench.judges)
    kept = [row for row in rows if row.kept]
    cut = [row for row in kept if row.cut]
    for portion in chunks(cut):
        bench.texts.take(portion, variants, recipe.prepare)
    kept = [row for row in kept if row.kept]
    notes += variant_notes(variants, kept) + shortfall_notes(table, rows)

    if not any(row.split == "validation" for row in kept):
        hold_out(kept, table.validation_share, needs_other)
    hidden = prefer_utterances(kept, hidden)
    if table.reference == "fixed":
        fixed_references(kept)
    fix_where_drawing_fails(kept, has_voice)
    return rows, hidden, notes, left_out


def voices_of(entry: DataEntry, bench: Bench, rows: list[Row]) -> tuple[list[Row], list[str]]:
    """Where rows take their voice from: a file for all, the source's choice for a row, or other utterances of the
    speaker. Rejects rows without any. Returns hidden rows and notes."""
    notes: list[str] = []
    if entry.table.reference == "file":
        hidden = [file_reference(entry.name, entry.table, bench.sounds, bench.texts)]
        for row in rows:
            row.reference, row.own_reference = REFERENCE_ID, True
    else:
        hidden, notes = own_references(entry.name, rows, bench.sounds, bench.texts)
    has_voice = bool(bench.fingerprints.speaker)
    for row in rows:
        voiced = row.imported and (row.own_reference or row.lends or not has_voice)
        if not voiced and row.utterance.audio is None:
            row.reject("no audio")
    return hidden, notes


def source_context(entry: DataEntry, bench: Bench) -> SourceContext:
    """What the source is told."""
    folder = bench.workspace.folder("sources", entry.source.name)
    return sourcing.entry_context(entry, bench.recipe, folder, bench.workspace, bench.progress, bench.part)


def wanted_variants(entry: DataEntry, rows: list[Row]) -> tuple[str, ...]:
    """The text variants to encode: "text", and those with a share. Raises KathrineError for one that no row
    has."""
    named = [name for name, share in entry.table.variants.items() if share > 0]
    # Only what is asked for beyond "text" is looked up: every row is read from the disk for it.
    more = [name for name in named if name != "text"]
    present = {name for row in rows for name in row.utterance.texts} if more else {"text"}
    for name in named:
        if rows and name not in present:
            raise KathrineError(
                f"data entry {entry.name}: the source {entry.source.name} has no text variant '{name}'",
                f"it has {', '.join(sorted(present))}",
            )
    return tuple(dict.fromkeys(["text", *named]))


def variant_notes(variants: tuple[str, ...], rows: list[Row]) -> list[str]:
    """How many utterances lack a variant: what has its share is then drawn among the others."""
    lacking = {name: sum(name not in row.tokens for row in rows) for name in variants if name != "text"}
    return [f"{count} of {len(rows)} utterances have no usable '{name}'" for name, count in lacking.items() if count]


def set_keys(row: Row, fingerprints: Fingerprints, facts: ModelFacts) -> None:
    """Keys of codes and voice, and the number of frames, of a row that is kept."""
    if not row.imported:
        row.codes_key = keys.codes_key(row.audio, fingerprints.codec)
        assert row.sound is not None
        row.seconds = row.sound.seconds
        row.frames = -(-row.sound.samples // facts.samples_per_frame)
    if fingerprints.speaker and row.audio and not row.speaker_key:
        row.speaker_key = keys.speaker_key(row.audio, fingerprints.speaker)


def refuse_empty(recipe: Recipe, facts: dict) -> None:
    """An entry of which nothing is left is an error: the run would silently be another one."""
    for name, entry in facts["entries"].items():
        if not entry["splits"].get("train"):
            reasons = ", ".join(f"{reason}: {count}" for reason, count in entry["rejected"].items())
            own = ", ".join(f"{reason}: {count}" for reason, count in entry["left_out_by_source"].items())
            seen = f"of {entry['seen']} utterances none is left to train on ({reasons})"
            nothing = "the source gave no utterances" + (f" (it left out {own})" if own else "")
            raise KathrineError(
                f"data entry {name}: " + (seen if entry["seen"] else nothing),
                "look at its limits and at [prepare]" if entry["seen"] else "look at the source's options",
            )


def device_of(recipe: Recipe) -> str:
    """Where the encoders run."""
    if recipe.prepare.device != "auto":
        return recipe.prepare.device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
