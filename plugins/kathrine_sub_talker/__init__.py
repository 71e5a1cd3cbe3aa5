"""The sub-talker's loss: codebooks 1 and up of each frame, from the hidden state that predicts the frame."""

from __future__ import annotations

import kathrine
from kathrine_sub_talker.loss import SubTalker, SubTalkerOptions, drawn_frames, sub_talker_term

__all__ = ["SubTalker", "SubTalkerOptions", "drawn_frames", "sub_talker_term"]


@kathrine.hookimpl
def kathrine_losses() -> list[type[kathrine.Loss]]:
    return [SubTalker]
