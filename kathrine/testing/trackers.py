"""The contract of a tracker: it survives whatever a run tells it."""

from __future__ import annotations

import math
from pathlib import Path

from kathrine.catalog import run_manager
from kathrine.components import Tracker
from kathrine.kinds import EVENT_HOOKS
from kathrine.testing.problems import Contract, fresh
from kathrine.testing.tiny import made_up_wave
from kathrine.types import Checkpoint, RunInfo, RunOutcome, SamplesReport, Stage, StepReport, ValidationReport

RATE = 24000


def check_tracker(tracker: Tracker, folder: Path) -> None:
    """A tracker keeps its contract.

    It implements an event hook, and survives all events of a run in their order: numbers that it does not know, a
    metric without a value, one that is a word, one that is not finite; a run that goes on from a checkpoint; a run
    that ends before its first step, and one that fails.

    Given: folder, an empty one, for the run folders. Raises: ConformanceError that says what is wrong.
    """
    contract = Contract(tracker)
    mine = [name for name in EVENT_HOOKS if hasattr(tracker, name)]
    contract.holds(mine, "it implements no event hook", Tracker)
    for resumed, ends in ((None, "finished"), (2, "failed")):
        one = fresh(tracker)
        _whole_run(contract, one, folder / f"run {ends}", resumed, ends)
    early = fresh(tracker)
    info = _info(folder / "run early", None)
    _tell(contract, early, "kathrine_run_end", run=info, outcome=RunOutcome("failed", 0, error="no data"))


def _info(folder: Path, resumed: int | None) -> RunInfo:
    folder.mkdir(parents=True, exist_ok=True)
    recipe = {"run": {"folder": str(folder), "seed": 7}, "train": {"steps": 4}}
    return RunInfo(folder, recipe, (Stage("all", {"a": 1.0}, steps=4),), 4, 1000, 1, resumed)


def _tell(contract: Contract, tracker: Tracker, event: str, **arguments: object) -> None:
    hook = run_manager([tracker]).hook
    try:
        getattr(hook, event)(**arguments)
    except Exception as error:  # noqa: BLE001  whatever it is would end the run
        contract.broken(f"{event} ends the run with {type(error).__name__}: {error}", Tracker)


def _whole_run(contract: Contract, tracker: Tracker, folder: Path, resumed: int | None, ends: str) -> None:
    import soundfile

    info = _info(folder, resumed)
    samples = folder / "samples" / "00000003"
    samples.mkdir(parents=True)
    soundfile.write(samples / "01.wav", made_up_wave("take", 0.2, RATE), RATE)
    take = {"file": "01.wav", "text": "one two", "seconds": 0.2, "a_new_measure": None}
    _tell(contract, tracker, "kathrine_run_start", run=info)
    _tell(contract, tracker, "kathrine_stage_start", run=info, stage=info.stages[0], step=resumed or 0)
    for step in range((resumed or 0) + 1, 5):
        metrics: dict[str, float | int | str | None] = {"loss.talker": 5.0 / step, "loss.a_new_one": 0.1}
        metrics |= {"without_value": None, "a_word": "streamed", "not_finite": math.nan, "skipped": int(step == 4)}
        timing = {"seconds": 0.5, "a_new_time": 1.0}
        report = StepReport(step, step / 4, "all", metrics, timing)
        _tell(contract, tracker, "kathrine_step_end", run=info, report=report)
        if step != 3:
            continue
        spoken = SamplesReport(step, "all", samples, (take,), {"samples.flagged": 0, "samples.a_new_one": 1.5})
        _tell(contract, tracker, "kathrine_samples_spoken", run=info, report=spoken)
        held_out: dict[str, float | int | str | None] = {"validation.a.talker": 4.0, "validation.new.thing": None}
        judged = ValidationReport(step, "all", held_out, 4.0, True, "the lowest loss so far")
        _tell(contract, tracker, "kathrine_validation_end", run=info, report=judged)
        saved = Checkpoint(folder / "checkpoints" / "00000003", step, ("last", "best"))
        _tell(contract, tracker, "kathrine_checkpoint_saved", run=info, checkpoint=saved)
    outcome = RunOutcome("finished", 4) if ends == "finished" else RunOutcome("failed", 4, error="no space left")
    _tell(contract, tracker, "kathrine_run_end", run=info, outcome=outcome)
