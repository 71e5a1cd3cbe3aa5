"""What a strategy doubts of the loaded weights is told when a run begins, and not again when it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from toy_runs import train

from kathrine import SpeechModel
from kathrine.progress import SilentProgress
from kathrine.testing import TrainAll, toy_recipe

DOUBT = "strategy.train_all: the head is 33 rows high"


class Doubting(TrainAll):
    """Looks at the weights before they are touched."""

    def doubts(self, model: SpeechModel) -> Iterator[str]:
        yield f"the head is {model.originals['head.weight'].shape[0]} rows high"


def test_a_run_begins_with_the_doubts_of_its_strategies(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path / "run", strategies=[Doubting()], train={"steps": 4, "checkpoint_every": 2})
    progress = SilentProgress()
    train(recipe, progress)
    assert progress.warned.count(DOUBT) == 1
    again = SilentProgress()
    train(toy_recipe(tmp_path / "run", strategies=[Doubting()], train={"steps": 4}), again, resume=True)
    assert DOUBT not in again.warned
