"""The model family `qwen3_tts`: everything that kathrine knows about Qwen3-TTS (12 Hz)."""

from __future__ import annotations

import kathrine
from kathrine_qwen3_tts.family import Qwen3TtsFamily

__all__ = ["Qwen3TtsFamily"]


@kathrine.hookimpl
def kathrine_models() -> list[type[kathrine.ModelFamily]]:
    return [Qwen3TtsFamily]
