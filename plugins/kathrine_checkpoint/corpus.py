"""The exporter `corpus`: the prepared corpus of a run as a folder that is a dataset of the Hub."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from kathrine.cards import place_of
from kathrine.components import Exporter, FinishedRun, Options, PlannedRun, Progress
from kathrine.corpus.card import hub_licence, known_metadata
from kathrine.corpus.files import write_json, write_text
from kathrine.corpus.licences import licence_problems
from kathrine.corpus.prepared import PreparedCorpus
from kathrine.corpus.publish import CARD, copy_dataset, folder_card, rows_digest
from kathrine.errors import KathrineError
from kathrine.types import ExportResult
from kathrine_checkpoint.card import FACTS, FORMAT, read_facts, recipe_text, told_nobody
from kathrine_checkpoint.files import all_files, complete_folder
from kathrine_checkpoint.manifest import write_manifest
from kathrine_checkpoint.renewing import may_replace, renew_hashes


class CorpusOptions(Options):
    """What may be given away, and what the card says of it."""

    licence_unknown: Literal["refuse", "allow"] = "refuse"
    """What to do where a data entry states no licence: refuse, or publish it as `unknown`. A licence that forbids to
    give away what is made of the recordings is refused in any case."""
    languages: list[str] = Field(default_factory=list)
    """Language codes on the card; empty derives them from the recipe's language, else from the utterances'."""
    consent: str = ""
    """What the card says of the consent of those who speak, before what the sources say of them."""


class CorpusExporter(Exporter):
    """Codes, speaker embeddings and texts of everything that was trained on: as Parquet, with a card."""

    name = "corpus"
    holds: ClassVar[Literal["dataset"]] = "dataset"
    Options = CorpusOptions
    options: CorpusOptions

    def card_metadata(self, plan: PlannedRun) -> dict[str, Any]:
        """Without what only the data can say: how many utterances there are, in which files, and some licences."""
        told = [source.licences() for source in plan.sources.values()]
        known = {hub_licence(one) for licences in told if licences for one in licences}
        return known_metadata(list(plan.sources), known if all(told) else (), self._codes(plan))

    def before_run(self, plan: PlannedRun, progress: Progress) -> Iterator[str]:
        for name, source in plan.sources.items():
            licences = source.licences()
            if licences is not None:
                yield from self._problems(name, licences)

    def before_training(self, plan: PlannedRun, corpus: Any) -> Iterator[str]:
        """The same of what the utterances state, once they are there."""
        for name, entry in corpus.facts["entries"].items():
            yield from self._problems(name, entry.get("licence", ()))

    def export(self, run: FinishedRun, folder: Path, progress: Progress) -> ExportResult:
        corpus = run.corpus
        if not isinstance(corpus, PreparedCorpus):
            raise KathrineError(
                f"export.{self.label}: the run was trained on a corpus in memory", "leave this exporter out"
            )
        problems = list(self.before_training(run.plan, corpus))
        if problems:
            raise KathrineError(f"export.{self.label}: {'; '.join(problems)}")
        with progress.task(f"export {self.label}: copy, reload, compare"), complete_folder(folder) as partial:
            copy_dataset(corpus.folder, partial)
            voices = {name: said for name, source in run.plan.sources.items() if (said := source.voices())}
            codes, consent = list(self._codes(run.plan)), self.options.consent
            write_json(partial / FACTS, {"format": FORMAT, "voices": voices, "codes": codes, "consent": consent})
            write_text(partial / "recipe.toml", recipe_text(run.recipe))
            write_text(partial / CARD, folder_card(partial, "", codes, voices, consent))
            checks = compare_rows(corpus, partial, f"export.{self.label}")
            write_manifest(partial, run, {"kind": "corpus", "checks": checks})
        return ExportResult(self.label, folder, all_files(folder), checks)

    def refresh_card(self, run: Path, folder: Path, location: str = "", progress: Progress | None = None) -> bool:
        facts = read_facts(folder)
        if facts is None:
            return False
        facts["consent"] = self.options.consent
        facts["codes"] = list(self.options.languages) or facts["codes"]
        place = place_of(location)
        repo = place.repo if place is not None else ""
        text = folder_card(folder, repo, facts["codes"], facts["voices"], facts["consent"])
        if not may_replace(folder, CARD, text, progress.warn if progress is not None else told_nobody):
            return False
        write_json(folder / FACTS, facts)
        write_text(folder / CARD, text)
        renew_hashes(folder, lambda name: name in (CARD, FACTS))
        return True

    def _codes(self, plan: PlannedRun) -> Collection[str]:
        return list(self.options.languages) or list(plan.codes)

    def _problems(self, entry: str, licences: Collection[str]) -> Iterator[str]:
        return licence_problems(entry, licences, self.options.licence_unknown == "allow")


def compare_rows(corpus: PreparedCorpus, folder: Path, what: str) -> dict[str, float | str]:
    """Rows and their content, read from a published folder and from the corpus that it was made of.

    Raises: KathrineError where they differ."""
    wanted, found = rows_digest(corpus.folder), rows_digest(folder)
    reloaded = PreparedCorpus.open(folder)
    if wanted != found or len(reloaded.rows) != wanted[0] or reloaded.fingerprint != corpus.fingerprint:
        raise KathrineError(
            f"{what} holds {found[0]} utterances after reloading, the corpus {wanted[0]}, or others",
            f"nothing was kept of this export; {corpus.folder} may be damaged",
        )
    return {"utterances": found[0], "content": found[1][:16], "fingerprint": reloaded.fingerprint[:16]}
