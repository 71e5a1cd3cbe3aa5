"""The exporters `adapter` and `merged`. Each reloads from disk what it wrote and measures it against the
run."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from kathrine.components import Exporter, FinishedRun, ModelFamily, Options, PlannedRun, Progress, SpeechModel
from kathrine.errors import KathrineError
from kathrine.types import AdapterFacts, ExportResult
from kathrine_checkpoint import foreign, loading
from kathrine_checkpoint.adapter import write_adapter
from kathrine_checkpoint.card import card_facts, refresh, told_nobody, write_card
from kathrine_checkpoint.card_metadata import ADAPTER, FINETUNE, OWN_LIBRARY, base_model_id, model_metadata
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
    consent: str = ""
    """What the card says of the consent of those whose voices were learnt from, before what the sources say of them."""
    samples: int = Field(default=5, ge=0, le=99)
    """Test sentences that can be heard on the card, and lie beside it in `samples/`; 0 leaves them out."""


class CheckpointExporter(Exporter):
    """What all of them share: a card that is known before the run, and can be written again after it."""

    options: Any
    relation: ClassVar[str] = FINETUNE
    """What an export is to its base model, as the Hub calls it."""

    def library(self, plan: PlannedRun) -> str:
        """The package that loads an export."""
        return plan.family.library or OWN_LIBRARY

    def card_metadata(self, plan: PlannedRun) -> dict[str, Any]:
        options = self.options
        return model_metadata(
            plan,
            relation=self.relation,
            library=self.library(plan),
            base_model=options.base_model,
            license=options.license,
            languages=options.languages,
        )

    def refresh_card(self, run: Path, folder: Path, location: str = "", progress: Progress | None = None) -> bool:
        options = self.options
        metadata = {"license": options.license, "language": options.languages, "base_model": options.base_model}
        changed = {
            "consent": options.consent,
            "samples": options.samples,
            "metadata": {name: value for name, value in metadata.items() if value},
        }
        return refresh(folder, run, location, changed, progress.warn if progress is not None else told_nobody)

    def _base_model(self, run: FinishedRun) -> str:
        return self.options.base_model or base_model_id(run.plan.family.options.checkpoint)

    def _facts(self, run: FinishedRun) -> dict[str, Any]:
        return {
            "family": run.family.name,
            "run": run.folder.name,
            "step": run.step,
            "weights": run.weights_from,
            "strategies": [claim.strategy for claim in run.claims],
            "data": without_paths(run.data),
        }

    def _card(
        self, run: FinishedRun, folder: Path, checks: dict[str, float | str], speakers: Sequence[str] = ()
    ) -> None:
        """Write the card, when all else but the list of hashes is there. speakers: voices that the export brings."""
        facts = card_facts(
            run,
            folder,
            self.card_metadata(run.plan),
            checks=checks,
            consent=self.options.consent,
            samples=self.options.samples,
            speakers=speakers,
        )
        write_card(folder, facts, run.folder, run.recipe)


class AdapterOptions(CardOptions):
    """See the plugin's README for the files."""


class Adapter(CheckpointExporter):
    """What was trained, and nothing else: a PEFT folder with the text projection and the language tag
    beside it."""

    name = "adapter"
    relation = ADAPTER
    Options = AdapterOptions
    options: AdapterOptions

    def library(self, plan: PlannedRun) -> str:
        return "peft"

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
            self._card(run, partial, checks)
            write_note(partial, {**self._facts(run), **facts, "checks": checks})
        notes = () if facts["adapters"] else ("no LoRA was trained, so there is no adapter_config.json",)
        return ExportResult(self.label, folder, all_files(folder), checks, notes)


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
            self._card(run, partial, checks)
            base_name = without_paths(run.model.facts.checkpoint)
            base = {"checkpoint": base_name, "revision": run.model.facts.revision}
            facts = {"kind": "merged", "dtype": dtype, "base": base, "languages": languages, "checks": checks}
            write_note(partial, {**self._facts(run), **facts})
        for note in notes:
            progress.warn(f"export.{self.label}: {note}")
        return ExportResult(self.label, folder, all_files(folder), checks, tuple(notes))
