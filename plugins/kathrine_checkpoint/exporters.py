"""The exporter `adapter`, and what it shares with those that write complete checkpoints."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from kathrine.components import Exporter, FinishedRun, ModelFamily, Options, PlannedRun, Progress, SpeechModel
from kathrine.errors import KathrineError
from kathrine.types import AdapterFacts, ExportResult
from kathrine_checkpoint import foreign, loading
from kathrine_checkpoint.adapter import write_adapter
from kathrine_checkpoint.card import card_facts, refresh, told_nobody, write_card
from kathrine_checkpoint.card_metadata import ADAPTER, FINETUNE, OWN_LIBRARY, base_of_plan, model_metadata
from kathrine_checkpoint.files import all_files, complete_folder
from kathrine_checkpoint.loading import load_adapter
from kathrine_checkpoint.manifest import write_manifest
from kathrine_checkpoint.selfcheck import Findings, compare, speak


def precision_of(model: SpeechModel) -> str:
    """What a model was loaded in: "bf16" where any of its weights is."""
    return "bf16" if any("bfloat16" in str(weight.dtype) for weight in model.originals.values()) else "fp32"


def family_of(family: ModelFamily, checkpoint: Path) -> ModelFamily:
    """The same family reading another checkpoint."""
    options = family.options.model_copy(update={"checkpoint": str(checkpoint), "revision": ""})
    return type(family)(options, family.label)


def fresh_model(run: FinishedRun, family: ModelFamily, precision: str) -> SpeechModel:
    """A model loaded anew, where the run's model lies."""
    device = next(iter(run.model.originals.values())).device
    return family.load(run.workspace, device=str(device), dtype=precision)


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
    """What those that write a model share: a card that is known before the run, and can be written again after it."""

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
        return self.options.base_model or base_of_plan(run.plan)

    def _card(
        self,
        run: FinishedRun,
        folder: Path,
        findings: Findings,
        speakers: Sequence[Mapping[str, Any]] = (),
        clones: bool = True,
    ) -> None:
        """Write the card, when all else but the manifest is there. For speakers and clones see `card_facts`."""
        facts = card_facts(
            run,
            folder,
            self.card_metadata(run.plan),
            findings=findings,
            consent=self.options.consent,
            samples=self.options.samples,
            speakers=speakers,
            clones=clones,
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
        precision, what = precision_of(run.model), f"export.{self.label}"
        with (
            progress.task(f"{what.replace('.', ' ')}: write, reload, compare"),
            complete_folder(folder) as partial,
        ):
            facts = write_adapter(run, partial, self._base_model(run))
            write_manifest(partial, run, facts)  # it can not be loaded without
            reloaded = fresh_model(run, run.family, precision)
            load_adapter(reloaded, partial)
            findings = compare(run, reloaded, exact=True, what=what)
            speak(run, reloaded, run.family, partial, findings, exact=precision == "fp32", what=what)
            self._card(run, partial, findings)
            write_manifest(partial, run, {**facts, **findings.document()})
        for note in findings.notes:
            progress.warn(f"{what}: {note}")
        notes = () if facts["adapters"] else ("no LoRA was trained, so there is no adapter_config.json",)
        return ExportResult(self.label, folder, all_files(folder), findings.checks, (*findings.notes, *notes))
