"""The exporter `adapter`, and what it shares with those that write complete checkpoints."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic import Field

from kathrine.components import Exporter, FinishedRun, ModelFamily, Options, Progress, SpeechModel
from kathrine.errors import KathrineError
from kathrine.types import AdapterFacts, ExportResult
from kathrine_checkpoint import foreign, loading
from kathrine_checkpoint.adapter import write_adapter
from kathrine_checkpoint.card import base_model_id, write_card
from kathrine_checkpoint.files import all_files, complete_folder, without_paths
from kathrine_checkpoint.loading import load_adapter
from kathrine_checkpoint.manifest import write_manifest
from kathrine_checkpoint.selfcheck import compare, speak


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


class CheckpointExporter(Exporter):
    """What the exporters of this plugin share."""

    options: Any

    def _base_model(self, run: FinishedRun) -> str:
        return self.options.base_model or base_model_id(run.model.facts.checkpoint)

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
            self._card(run, partial, "adapter", self._usage(run, facts), findings.checks)
            write_manifest(partial, run, {**facts, **findings.document()})
        for note in findings.notes:
            progress.warn(f"{what}: {note}")
        notes = () if facts["adapters"] else ("no LoRA was trained, so there is no adapter_config.json",)
        return ExportResult(self.label, folder, all_files(folder), findings.checks, (*findings.notes, *notes))

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
