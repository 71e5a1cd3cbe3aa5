"""What `check_exporter` rejects: exporters that break the contract in one place, which it has to name."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from rejecting import rejected

from kathrine import Exporter, KathrineError, Workspace
from kathrine.cards import front_matter
from kathrine.testing import ToyFamily, TrainAll, check_exporter, prepared_toy_corpus
from kathrine.types import AdapterFacts, ExportResult


class Plain(Exporter):
    """The trained weights and a note, written beside and then moved; it puts them back onto a model."""

    name = "broken"

    def export(self, run: Any, folder: Path, progress: Any) -> ExportResult:
        if folder.exists():
            raise KathrineError(f"{folder} is there already", "remove it")
        partial = folder.with_name(f".{folder.name}.partial")
        partial.mkdir(exist_ok=True)
        loss = self.write(run, partial)
        partial.rename(folder)
        return ExportResult(self.label, folder, self.files(folder), {"loss": loss})

    def files(self, folder: Path) -> tuple[str, ...]:
        return tuple(sorted(path.name for path in folder.iterdir()))

    def write(self, run: Any, folder: Path) -> float:
        from safetensors.torch import save_file

        save_file(dict(run.trainable), str(folder / "trained.safetensors"))
        with (folder / "note.json").open("w", encoding="utf-8") as file:
            json.dump(self.note(run), file)
        loss = run.validation_loss(run.model)
        assert np.isfinite(loss)
        return loss

    def note(self, run: Any) -> Any:
        return {"step": run.step}

    @classmethod
    def recognise(cls, folder: Path) -> AdapterFacts | None:
        if not (folder / "note.json").is_file():
            return None
        return AdapterFacts(folder, "toy", "", ("trained",))

    @classmethod
    def put_on(cls, model: Any, adapter: AdapterFacts, without: Any = (), scale: float = 1.0) -> None:
        if set(without) - {"trained"}:
            raise KathrineError("there is no such part", "leave it")
        for name, value in cls.weights(adapter.folder).items():
            model.originals[name].data.copy_(value)

    @classmethod
    def weights(cls, folder: Path) -> Any:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(str(folder / "trained.safetensors"))
        except SafetensorError as error:
            raise KathrineError("the weights are damaged", "copy them again") from error


class LeavesAPart(Plain):
    """Writes where it will lie, so that an error leaves half of it there."""

    def export(self, run: Any, folder: Path, progress: Any) -> ExportResult:
        if folder.exists():
            raise KathrineError(f"{folder} is there already", "remove it")
        folder.mkdir()
        loss = self.write(run, folder)
        return ExportResult(self.label, folder, self.files(folder), {"loss": loss})


class GoesOn(Plain):
    def write(self, run: Any, folder: Path) -> float:
        with suppress(Exception):
            return super().write(run, folder)
        return 0.0


class TellsAPath(Plain):
    def note(self, run: Any) -> Any:
        return run.recipe


class TellsTooMuch(Plain):
    def files(self, folder: Path) -> tuple[str, ...]:
        return (*super().files(folder), "card.md")


class AnotherEachTime(Plain):
    def note(self, run: Any) -> Any:
        return {"drawn": os.urandom(8).hex()}


class WritesOver(Plain):
    def export(self, run: Any, folder: Path, progress: Any) -> ExportResult:
        with suppressed_taken(folder):
            return super().export(run, folder, progress)


@contextmanager
def suppressed_taken(folder: Path) -> Iterator[None]:
    """Makes room for the export without asking."""
    if folder.exists():
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
    yield


class ChecksNothing(Plain):
    def export(self, run: Any, folder: Path, progress: Any) -> ExportResult:
        made = super().export(run, folder, progress)
        return ExportResult(made.exporter, made.folder, made.files, {})


class PutsBackNothing(Plain):
    @classmethod
    def weights(cls, folder: Path) -> Any:
        return {}


class BelievesDamage(Plain):
    @classmethod
    def weights(cls, folder: Path) -> Any:
        try:
            return super().weights(folder)
        except KathrineError:
            return {}


class UnreadableDamage(Plain):
    @classmethod
    def weights(cls, folder: Path) -> Any:
        from safetensors.torch import load_file

        return load_file(str(folder / "trained.safetensors"))


class LeavesOutAnything(Plain):
    @classmethod
    def put_on(cls, model: Any, adapter: AdapterFacts, without: Any = (), scale: float = 1.0) -> None:
        super().put_on(model, adapter)


class FoldsAnything(Plain):
    folds = True


class WithACard(Plain):
    """Writes a card, and writes it again for another place."""

    told: ClassVar[dict[str, Any]] = {
        **{"license": "mit", "base_model": "toy/base", "language": ["und"], "library_name": "toys"},
        **{"pipeline_tag": "text-to-speech", "tags": ["toy"]},
    }

    def card_metadata(self, plan: Any) -> dict[str, Any]:
        return self.told

    def write(self, run: Any, folder: Path) -> float:
        loss = super().write(run, folder)
        self.refresh_card(run.folder, folder)
        return loss

    def refresh_card(self, run: Path, folder: Path, location: str = "", progress: Any = None) -> bool:
        (folder / "README.md").write_text(f"{front_matter(self.shown())}\n\n[sound]({location}01.wav)\n")
        return True

    def shown(self) -> dict[str, Any]:
        return self.told


class NamesNoBase(WithACard):
    told: ClassVar[dict[str, Any]] = {**WithACard.told, "base_model": ""}


class ForgetsItsCard(WithACard):
    def refresh_card(self, run: Path, folder: Path, location: str = "", progress: Any = None) -> bool:
        return False


class ChangesItsMind(WithACard):
    def shown(self) -> dict[str, Any]:
        return {**self.told, "license": "apache-2.0"}


class AnotherCardEachTime(WithACard):
    def refresh_card(self, run: Path, folder: Path, location: str = "", progress: Any = None) -> bool:
        drawn = os.urandom(8).hex() if location else ""
        return super().refresh_card(run, folder, location + drawn)


class ForgetsThePlace(WithACard):
    def refresh_card(self, run: Path, folder: Path, location: str = "", progress: Any = None) -> bool:
        first = not (folder / "README.md").exists()
        return super().refresh_card(run, folder, "" if first else "https://example.org/")


class WritesInSecret(WithACard):
    def refresh_card(self, run: Path, folder: Path, location: str = "", progress: Any = None) -> bool:
        super().refresh_card(run, folder, location)
        return False


BROKEN_EXPORTERS = {
    NamesNoBase: "the card has no base_model: set `base_model` of the export",
    ForgetsItsCard: "it promised a card, and there is no README.md",
    ChangesItsMind: "its card says other than it promised: license",
    AnotherCardEachTime: "its card is another one the second time",
    ForgetsThePlace: "without a place its card is not as first written",
    WritesInSecret: "it wrote, and says it did not",
    LeavesAPart: "the self-check fails, and under the final name stays note.json, trained.safetensors",
    GoesOn: "the self-check fails, and it goes on as if nothing was",
    TellsAPath: "note.json names a folder of this machine",
    TellsTooMuch: "the files that it tells of are not those that are there: card.md",
    AnotherEachTime: "a second export of the same run has another note.json",
    WritesOver: "it writes into a folder that holds something else",
    ChecksNothing: "it checked nothing of what it wrote",
    PutsBackNothing: "put back it has a loss of",
    BelievesDamage: "it puts back an adapter whose trained.safetensors is damaged",
    UnreadableDamage: "a damaged trained.safetensors ends in SafetensorError",
    LeavesOutAnything: "it leaves out a part that is not there without a word",
    FoldsAnything: "it folds a strategy that says it can not be folded",
}


def strategies() -> list[TrainAll]:
    return [TrainAll(TrainAll.Options(parts=["head"]))]


@pytest.mark.parametrize("broken", BROKEN_EXPORTERS, ids=lambda one: one.__name__)
def test_an_exporter(broken: Any, tmp_path: Path) -> None:
    rejected(lambda: check_exporter(broken(), ToyFamily(), Workspace(tmp_path), strategies()), BROKEN_EXPORTERS[broken])


def test_the_exporter_they_are_made_of_passes(tmp_path: Path) -> None:
    made = check_exporter(Plain(), ToyFamily(), Workspace(tmp_path), strategies())
    assert made.files == ("note.json", "trained.safetensors")


def test_one_with_a_card_that_sees_the_corpus_and_what_was_laid_out_passes(tmp_path: Path) -> None:
    seen: list[Any] = []

    class Looks(WithACard):
        def note(self, run: Any) -> Any:
            seen.append((run.corpus.fingerprint, (run.folder / "mine.txt").read_text()))
            return super().note(run)

    corpus = prepared_toy_corpus()
    made = check_exporter(
        Looks(),
        ToyFamily(),
        Workspace(tmp_path),
        strategies(),
        corpus=corpus,
        arrange=lambda run: (run.folder / "mine.txt").write_text("laid out") and None,
    )
    assert made.files == ("README.md", "note.json", "trained.safetensors")
    assert set(seen) == {(corpus.fingerprint, "laid out")}
