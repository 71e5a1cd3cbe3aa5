"""Tracker `tensorboard`: the curves of a run in TensorBoard."""

from __future__ import annotations

import kathrine
from kathrine_tensorboard.tracker import TensorBoard, TensorBoardOptions

__all__ = ["TensorBoard", "TensorBoardOptions"]


@kathrine.hookimpl
def kathrine_trackers() -> list[type[kathrine.Tracker]]:
    return [TensorBoard]
