"""The exporter `merged`, and what it shares with `custom_voice`: a complete checkpoint in the family's own layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from kathrine.components import FinishedRun, Progress, SpeechModel
from kathrine.errors import KathrineError
from kathrine.types import ExportResult
from kathrine_checkpoint.exporters import CardOptions, CheckpointExporter, family_of, fresh_model, precision_of
from kathrine_checkpoint.files import all_files, complete_folder
from kathrine_checkpoint.manifest import write_manifest
from kathrine_checkpoint.selfcheck import REPORT, SAMPLE, Findings, compare, lost_updates, speak
from kathrine_checkpoint.voices import NewVoice

if TYPE_CHECKING:
    import torch

GIGABYTE = 1_000_000_000
"""As the Hub and transformers count them."""


class CompleteOptions(CardOptions):
    """bf16 is what released models are; fp32 keeps every bit of small updates and takes twice the space."""

    dtype: Literal["bf16", "fp32"] = "bf16"
    """Precision of the stored weights; merging itself is always done in float32."""
    max_shard_gb: float = Field(default=5.0, gt=0)
    """Weights above this many gigabytes are divided into several files, with an index beside them."""


class CompleteExporter(CheckpointExporter):
    """Folds every strategy into plain weights, writes them, reads them back and lays them beside the run."""

    folds = True
    Options = CompleteOptions
    options: CompleteOptions
    keep_base = True

    def voices(self, run: FinishedRun, languages: Mapping[str, int], progress: Progress) -> Sequence[NewVoice]:
        """Speakers to add to those that the model brings."""
        return ()

    def export(self, run: FinishedRun, folder: Path, progress: Progress) -> ExportResult:
        from kathrine_checkpoint.merged import GOOD_COSINE, first_weights, folded_weights, stored_cosines

        weights = folded_weights(run)
        languages = {name: row for strategy in run.strategies for name, row in strategy.languages().items()}
        voices = self.voices(run, languages, progress)
        changed = {name for claim in run.claims for name in (*claim.trains, *claim.adapts)}
        changed |= {run.model.language_table()} if languages else set()
        changed |= with_voices(weights, run.model, voices)
        first = first_weights(run, [name for name in run.model.originals if name in changed])
        dtype, precision, what = self.options.dtype, precision_of(run.model), f"export.{self.label}"
        exact = dtype == precision == "fp32"
        remedy = '; set dtype = "fp32"' if dtype == "bf16" else " (which computes in bf16)"
        with (
            progress.task(f"export {self.label}: write, reload, compare"),
            complete_folder(folder) as partial,
        ):
            run.family.write_checkpoint(
                run.workspace,
                partial,
                weights,
                dtype,
                languages,
                max_shard_bytes=max(1, int(self.options.max_shard_gb * GIGABYTE)),
                voices={voice.name: voice.row for voice in voices},
                keep_base=self.keep_base,
            )
            family = family_of(run.family, partial)
            reloaded = fresh_model(run, family, "fp32")
            findings = compare(run, reloaded, exact, what, remedy)
            there = {name: value for name, value in first.items() if name in reloaded.originals}
            cosines = stored_cosines(there, weights, reloaded)
            findings.checks |= {f"update stored in {part}": cosine for part, cosine in cosines.items()}
            findings.notes += lost_updates(cosines, GOOD_COSINE)
            self._speak(run, reloaded, family, partial, findings, exact, voices)
            speakers = [{"name": voice.name, **voice.document()} for voice in voices]
            self._card(run, partial, findings, speakers, clones=self.keep_base)
            facts = {
                "kind": self.name,
                "dtype": dtype,
                "voices": {voice.name: voice.document() for voice in voices},
                **findings.document(),
            }
            write_manifest(partial, run, facts)
        for note in findings.notes:
            progress.warn(f"{what}: {note}")
        return ExportResult(self.label, folder, all_files(folder), findings.checks, tuple(findings.notes))

    def _speak(
        self,
        run: FinishedRun,
        reloaded: SpeechModel,
        family: Any,
        folder: Path,
        findings: Findings,
        exact: bool,
        voices: Sequence[NewVoice],
    ) -> None:
        """In the run's voice, or in each of those that were added, whose rows are read back."""
        what = f"export.{self.label}"
        if not voices:
            speak(run, reloaded, family, folder, findings, exact=exact, what=what)
        for number, voice in enumerate(voices):
            check_row(reloaded, voice, self.options.dtype, what)
            sample = SAMPLE if number == 0 else SAMPLE.with_stem(f"{SAMPLE.stem}-{voice.name}")
            speak(
                run,
                reloaded,
                family,
                folder,
                findings,
                exact=exact,
                what=what,
                speaker=voice.name,
                embedding_H=voice.embedding_H,
                sample=sample,
            )


def with_voices(weights: dict[str, torch.Tensor], model: SpeechModel, voices: Sequence[NewVoice]) -> set[str]:
    """Write the embeddings of voices into their rows. Returns: names of the tables that changed."""
    import torch

    if not voices:
        return set()
    table = model.voice_table()
    weights[table] = weights[table].clone()
    for voice in voices:
        weights[table][voice.row] = torch.from_numpy(voice.embedding_H).to(weights[table])
    return {table}


def check_row(reloaded: SpeechModel, voice: NewVoice, dtype: str, what: str) -> None:
    """Refuse an export whose row of a voice is not its embedding, bit by bit. Raises: KathrineError."""
    import torch

    stored = reloaded.originals[reloaded.voice_table()][voice.row].detach().float().cpu()
    wanted = torch.from_numpy(voice.embedding_H)
    wanted = wanted.to(torch.bfloat16).float() if dtype == "bf16" else wanted
    if not torch.equal(stored, wanted):
        raise KathrineError(f"{what}: row {voice.row} is not the embedding of {voice.name} after reloading", REPORT)


class MergedOptions(CompleteOptions):
    """A complete checkpoint of the same type as its base."""


class Merged(CompleteExporter):
    """A complete checkpoint in the official layout, which still clones voices and needs no kathrine to
    run."""

    name = "merged"
    Options = MergedOptions
    options: MergedOptions
