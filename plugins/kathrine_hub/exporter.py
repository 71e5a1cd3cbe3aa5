"""The exporter `hub`: asks before the first step, uploads while the run goes on and when it is done."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from kathrine.components import Exporter, FinishedRun, PlannedRun, Progress, RecipeAround
from kathrine.corpus.files import write_json
from kathrine.errors import KathrineError
from kathrine.hookspecs import hookimpl
from kathrine.hublayout import CHECKPOINTS, LOGS
from kathrine.progress import SilentProgress
from kathrine.train.checkpoint import LASTING, saved_checkpoints
from kathrine.types import Checkpoint, ExportResult, RunInfo, RunOutcome
from kathrine_hub.background import Background
from kathrine_hub.checks import late_problems
from kathrine_hub.options import OWN, HubOptions, around_problems, own_problems, wanted
from kathrine_hub.publish import Wish, publish, push_line
from kathrine_hub.staging import PLACE, clear, snapshot

NOTE = "published.json"
SNAPSHOT = "snapshot"


class Hub(Exporter):
    """Uploads what the other exporters made, the state to go on from and the logs to a repository of the Hub."""

    name = "hub"
    publishes = True
    Options = HubOptions
    options: HubOptions

    _plan: PlannedRun | None = None
    _background: Background | None = None
    _progress: Progress
    _uploaded = False
    _step = 0

    def problems(self) -> Iterator[str]:
        return own_problems(self.options)

    def recipe_problems(self, around: RecipeAround) -> Iterator[str]:
        return around_problems(self.options, self.label, around)

    def before_run(self, plan: PlannedRun, progress: Progress) -> Iterator[str]:
        self._plan, self._progress = plan, progress
        yield from dict.fromkeys(late_problems(self.options, plan, progress))

    # ----------------------------------------------------------------------- while the run goes on

    @hookimpl
    def kathrine_run_start(self, run: RunInfo) -> None:
        if self._plan is None:
            return  # another process than the first one, which alone was asked before the run
        clear(run.folder)
        self._background = Background(self._upload_snapshot, self.options.every, self._progress)

    @hookimpl
    def kathrine_checkpoint_saved(self, run: RunInfo, checkpoint: Checkpoint) -> None:
        if self._background is not None and self._background.due():
            # Now, while nothing is written or removed: what is uploaded later is the run as of this step.
            snapshot(run.folder, run.folder / PLACE / SNAPSHOT)
            self._background.start(run.folder, checkpoint.step)

    def _upload_snapshot(self, run: Path, step: int) -> None:
        wish = self._wish(run, step)
        folder = run / PLACE / SNAPSHOT
        parts = tuple(name for name in OWN if name in wish.what)
        try:
            publish(replace(wish, run=folder, what=parts, complete=False, tag=False), SilentProgress())
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @hookimpl
    def kathrine_run_end(self, run: RunInfo, outcome: RunOutcome) -> None:
        if self._background is None:
            return
        if outcome.status == "interrupted":
            if self._background.busy:
                self._progress.say("an upload was under way and is left; what arrived is not sent again")
            return
        failed = outcome.status == "failed"
        wish = self._wish(run.folder, outcome.step if failed else self._step)
        if LOGS not in wish.what or not (failed or self._uploaded):
            return
        # From here on nothing is said to console.log: it is about to be uploaded as it is.
        screen = getattr(self._progress, "inner", self._progress)
        try:
            self._background.wait()
            publish(replace(wish, what=(LOGS,), complete=False, tag=not failed), screen)
        except KathrineError as error:
            self._progress.warn(f"export.{self.label}: the logs are not uploaded: {error.message}")
            self._progress.say(f"  {push_line(run.folder)}")

    # ----------------------------------------------------------------------- when it is done

    def export(self, run: FinishedRun, folder: Path, progress: Progress) -> ExportResult:
        folder.mkdir(parents=True)
        wish = self._wish(run.folder, run.step)
        if self.options.checkpoints:
            self._export_checkpoints(run, wish, folder, progress)
        if self._background is not None:
            self._background.wait()
        try:
            done = publish(replace(wish, tag=LOGS not in wish.what), progress)  # else with the last of the logs
        except KathrineError as error:
            line = push_line(run.folder)
            progress.warn(f"export.{self.label}: NOT UPLOADED: {error.message}. All of it is on disk; to upload it:")
            progress.say(f"  {line}")
            notes = (f"not uploaded: {error.message}", line)
            return ExportResult(self.label, folder, _files(folder), {}, notes, undone=error.message)
        self._uploaded, self._step = True, run.step
        told = f"{', '.join(wish.what)}: {'private' if self.options.private else 'public'}"
        write_json(folder / NOTE, {"address": done.address, "commit": done.commit, "what": list(wish.what)})
        progress.say(f"uploaded to {done.address} ({told})")
        return ExportResult(self.label, folder, _files(folder), {"uploaded to": done.address})

    def _export_checkpoints(self, run: FinishedRun, wish: Wish, folder: Path, progress: Progress) -> None:
        """Checkpoints that are kept for good, each as the first exporter of `what` writes it."""
        first = next(one for name in wish.what for one in wish.exporters if one.label == name and one.holds == "model")
        if run.at is None:
            raise KathrineError(f"export.{self.label}: checkpoints need a run that can go back to them")
        for one in saved_checkpoints(run.folder / "checkpoints"):
            names = [_folder_name(reason, one.step) for reason in one.reasons if LASTING.fullmatch(reason)]
            if names:
                progress.say(f"{CHECKPOINTS}/{names[0]}: the checkpoint of step {one.step}")
                with run.at(one.step) as earlier:
                    first.export(earlier, folder / CHECKPOINTS / names[0], progress)

    def _wish(self, run: Path, step: int) -> Wish:
        if self._plan is None:
            raise KathrineError(f"export.{self.label} uploads runs", "use `kathrine push RUN` for a folder")
        exporters = list(self._plan.exporters)
        what = tuple(wanted(self.options, exporters))
        return Wish(
            run=run,
            name=run.name,
            label=self.label,
            options=self.options,
            exporters=exporters,
            what=what,
            step=step,
            workspace=self._plan.workspace,
            complete=True,
            tag=True,
        )


def _folder_name(reason: str, step: int) -> str:
    """`epoch 2` as epoch_2; what is kept for another reason goes by its step."""
    return reason.replace(" ", "_") if reason.startswith("epoch") else f"step_{step}"


def _files(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()))
