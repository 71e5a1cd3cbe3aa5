"""The exporters `adapter` and `merged`. Each reloads from disk what it wrote and measures it against the
run."""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from kathrine.components import Exporter, FinishedRun, ModelFamily, Options, Progress, SpeechModel
from kathrine.errors import KathrineError
from kathrine.types import AdapterFacts, ExportResult
from kathrine_checkpoint import foreign, loading
from kathrine_checkpoint.adapter import write_adapter
from kathrine_checkpoint.card import base_model_id, write_card
from kathrine_checkpoint.files import all_files, complete_folder, without_paths, write_note
from kathrine_checkpoint.loading import load_adapter

TOLERANCE = 1e-5
NOTICEABLE = 0.01
"""Nat: what storing in bf16 may change a loss by before it is worth a warning."""


def precision_of(model: SpeechModel) -> str:
    """What a model was loaded in: "bf16" where any of its weights is."""
    return "bf16" if any("bfloat16" in str(weight.dtype) for weight in model.originals.values()) else "fp32"


def family_of(family: ModelFamily, checkpoint: Path) -> ModelFamily:
    """The same family reading another checkpoint."""
    options = family.options.model_copy(update={"checkpoint": str(checkpoint), "revision": ""})
    return type(family)(options, family.label)


def fresh_model(run: FinishedRun, family: ModelFamily, precision: str) -> SpeechModel:
    device = next(iter(run.model.originals.values())).device
    return family.load(run.workspace, device=str(device), dtype=precision)


def compare_losses(run: FinishedRun, reloaded: SpeechModel, exact: bool, what: str) -> dict[str, float | str]:
    """Teacher-forced loss of the run's model and of the reloaded one on the same held-out batch.

    Raises: KathrineError where they should be equal and are not, and where a loss is not finite.
    """
    wanted, found = run.validation_loss(run.model), run.validation_loss(reloaded)
    difference = abs(found - wanted)
    wrong = difference > TOLERANCE * max(1.0, abs(wanted)) if exact else False
    if wrong or not math.isfinite(found):
        raise KathrineError(
            f"{what} has a loss of {found:.6f} after reloading, the run's model has {wanted:.6f}",
            "nothing was kept of this export; please report it together with the recipe",
        )
    return {"loss of the run": wanted, "loss after reloading": found, "difference": difference}


class CardOptions(Options):
    """What the model card says."""

    base_model: str = ""
    """Hub id of the base model on the card; empty takes the recipe's checkpoint."""
    license: str = Field(default="apache-2.0", min_length=1)
    """Licence of what is exported, as the Hub spells it."""
    languages: list[str] = Field(default_factory=list)
    """Language codes on the card; empty derives them from the recipe's language."""


class CheckpointExporter(Exporter):
    """What both exporters share."""

    options: Any

    def _base_model(self, run: FinishedRun) -> str:
        return self.options.base_model or base_model_id(run.model.facts.checkpoint)

    def _facts(self, run: FinishedRun) -> dict[str, Any]:
        return {
            "family": run.family.name,
            "run": run.folder.name,
            "step": run.step,
            "weights": run.weights_from,
            "strategies": [claim.strategy for claim in run.claims],
            "data": without_paths(run.data),
        }

    def _card(self, run: FinishedRun, folder: Path, kind: str, usage: str, checks: dict[str, float | str]) -> None:
        write_card(
            run,
            folder,
            kind=kind,
            base_model=self._base_model(run),
            license=self.options.license,
            languages=self.options.languages,
            usage=usage,
            checks=checks,
        )


class AdapterOptions(CardOptions):
    """See the plugin's README for the files."""


class Adapter(CheckpointExporter):
    """What was trained, and nothing else: a PEFT folder with the text projection and the language tag
    beside it."""

    name = "adapter"
    Options = AdapterOptions
    options: AdapterOptions

    @classmethod
    def recognise(cls, folder: Path) -> AdapterFacts | None:
        """Its own folders, and the PEFT folders of other trainers for the same model."""
        return loading.describe(folder) or foreign.describe(folder)

    @classmethod
    def put_on(
        cls, model: SpeechModel, adapter: AdapterFacts, without: Collection[str] = (), scale: float = 1.0
    ) -> None:
        unknown = sorted(set(without) - set(adapter.parts))
        if unknown:
            raise KathrineError(
                f"{adapter.folder} has no {', '.join(unknown)} to leave out", f"it has {', '.join(adapter.parts)}"
            )
        if scale != 1.0 and (loading.LORA not in adapter.parts or loading.LORA in without):
            raise KathrineError(f"{adapter.folder}: there is no LoRA to scale", "leave the scale out")
        if loading.is_adapter(adapter.folder):
            load_adapter(model, adapter.folder, without=without, scale=scale)
        else:
            foreign.put_on(model, adapter.folder, without, scale)

    def export(self, run: FinishedRun, folder: Path, progress: Progress) -> ExportResult:
        with (
            progress.task(f"export {self.label}: write, reload, compare"),
            complete_folder(folder) as partial,
        ):
            facts = write_adapter(run, partial, self._base_model(run))
            write_note(partial, {**self._facts(run), **facts})
            reloaded = fresh_model(run, run.family, precision_of(run.model))
            load_adapter(reloaded, partial)
            checks = compare_losses(run, reloaded, exact=True, what=f"export.{self.label}")
            self._card(run, partial, "adapter", self._usage(run, facts), checks)
            write_note(partial, {**self._facts(run), **facts, "checks": checks})
        notes = () if facts["adapters"] else ("no LoRA was trained, so there is no adapter_config.json",)
        return ExportResult(self.label, folder, all_files(folder), checks, notes)

    def _usage(self, run: FinishedRun, facts: dict[str, Any]) -> str:
        lines = [
            "```python",
            "from kathrine_checkpoint import load_adapter",
            "",
            f"# model: {without_paths(run.model.facts.checkpoint)}, loaded with kathrine",
            'load_adapter(model, "this/folder")',
            "```",
        ]
        if facts["adapters"]:
            lines += ["", "`peft.PeftModel.from_pretrained(network, folder)` loads the LoRA alone."]
        if facts["text_projection"]:
            lines += [
                "",
                "The text projection was trained as well: without `text_projection.bin` the accent of the "
                "base model stays. `load_adapter` loads it.",
            ]
        return "\n".join(lines)


class MergedOptions(CardOptions):
    """bf16 is what released models are; fp32 keeps every bit of small updates and takes twice the space."""

    dtype: Literal["bf16", "fp32"] = "bf16"
    """Precision of the stored weights; merging itself is always done in float32."""


class Merged(CheckpointExporter):
    """A complete checkpoint in the official layout, which still clones voices and needs no kathrine to
    run."""

    name = "merged"
    folds = True
    Options = MergedOptions
    options: MergedOptions

    def export(self, run: FinishedRun, folder: Path, progress: Progress) -> ExportResult:
        from kathrine_checkpoint.merged import GOOD_COSINE, first_weights, folded_weights, stored_cosines

        weights = folded_weights(run)
        languages = {name: row for strategy in run.strategies for name, row in strategy.languages().items()}
        changed = {name for claim in run.claims for name in (*claim.trains, *claim.adapts)}
        if languages:
            changed.add(run.model.language_table())
        first = first_weights(run, [name for name in run.model.originals if name in changed])
        dtype, precision = self.options.dtype, precision_of(run.model)
        with (
            progress.task(f"export {self.label}: write, reload, compare"),
            complete_folder(folder) as partial,
        ):
            run.family.write_checkpoint(run.workspace, partial, weights, dtype, languages)
            reloaded = fresh_model(run, family_of(run.family, partial), "fp32")
            exact = dtype == "fp32" and precision == "fp32"
            checks = compare_losses(run, reloaded, exact, what=f"export.{self.label}")
            cosines = stored_cosines(first, weights, reloaded)
            checks |= {f"update stored in {part}": cosine for part, cosine in cosines.items()}
            lost = {part: cosine for part, cosine in cosines.items() if cosine < GOOD_COSINE}
            notes = [
                f"{part}: the stored update has a cosine of {cosine:.3f} with the trained one, much of it "
                'was rounded away by bf16; set dtype = "fp32"'
                for part, cosine in lost.items()
            ]
            difference = checks["difference"]
            if isinstance(difference, float) and difference > NOTICEABLE:
                notes.append(
                    f"the stored model has a loss {difference:.3f} nat away from the run's"
                    + ('; set dtype = "fp32"' if dtype == "bf16" else " (computed in bf16)")
                )
            self._card(run, partial, "finetune", self._usage(run, languages), checks)
            base_name = without_paths(run.model.facts.checkpoint)
            base = {"checkpoint": base_name, "revision": run.model.facts.revision}
            facts = {"kind": "merged", "dtype": dtype, "base": base, "languages": languages, "checks": checks}
            write_note(partial, {**self._facts(run), **facts})
        for note in notes:
            progress.warn(f"export.{self.label}: {note}")
        return ExportResult(self.label, folder, all_files(folder), checks, tuple(notes))

    def _usage(self, run: FinishedRun, languages: dict[str, int]) -> str:
        lines = ["A complete checkpoint in the layout of the base model: use it wherever that one is used."]
        if languages:
            named = ", ".join(f'`language="{language}"`' for language in languages)
            lines.append(f"It knows the language tag {named}.")
        return " ".join(lines)
