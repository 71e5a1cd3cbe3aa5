"""Exports that are the same on every machine, for comparison with codes that the official package made of them.

Training differs in its last digits from machine to machine. Here the trained numbers are computed instead: small whole
numbers over powers of two, so that also what is merged from them is exact. Everything else is what a run does: the
strategies are applied, and the exporters write, reload and compare.

    python tests/official/frozen_exports.py FOLDER

leaves in FOLDER what docs/proof/official_half.py reads, and says how near the greedy decisions are to each other.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
for place in (ROOT / "docs" / "proof", ROOT / "tests"):
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))

import kathrine_half as half  # noqa: E402
from exported import Quiet, finished  # noqa: E402

from kathrine import FinishedRun, Workspace  # noqa: E402
from kathrine_checkpoint import Adapter, CustomVoice, Merged  # noqa: E402
from kathrine_language_tag import LanguageTag, LanguageTagOptions  # noqa: E402
from kathrine_lora import Lora, LoraOptions  # noqa: E402
from kathrine_qwen3_tts import generation  # noqa: E402
from kathrine_qwen3_tts import model as model_module  # noqa: E402
from kathrine_qwen3_tts.config import read_config  # noqa: E402
from kathrine_text_projection import TextProjection  # noqa: E402

SEEDS = {"tiny-0b6": 2, "tiny-1b7": 1}
"""Chosen so that no greedy decision is nearer than MARGIN: other processors round the last digits otherwise."""

MARGIN = 1e-3
FRAMES = 8
ROW = 2101
UNITS = {"lora_A": 2.0**-5, "lora_B": 2.0**-8, "text_projection": 2.0**-8, "language_tag": 2.0**-5}
"""The unit that each kind of trained weight moves in, by a part of its name."""

REQUESTS = (
    "speaker, norwegian, streamed",
    "speaker, norwegian, whole",
    "speaker, auto, streamed",
    "in context, norwegian, streamed",
    "in context, norwegian, whole",
    "in context, english, whole",
    "solveig, norwegian, streamed",
    "solveig, norwegian, whole",
)


def frozen_numbers(seed: int) -> Callable[..., None]:
    """In the place of training: every trained parameter gets its numbers; the text projection is moved by them."""

    def set_trained(_model: Any, _claims: Any, trained: dict[str, torch.nn.Parameter], *_: Any, **__: Any) -> None:
        random = np.random.RandomState(seed)
        for name, parameter in sorted(trained.items()):
            unit = next(value for part, value in UNITS.items() if part in name)
            numbers = torch.from_numpy(random.randint(-8, 9, size=tuple(parameter.shape)) * unit).float()
            with torch.no_grad():
                parameter.copy_(parameter + numbers if "text_projection" in name else numbers)

    return set_trained


def frozen_run(base: Path, folder: Path, seed: int) -> FinishedRun:
    """A golden checkpoint with frozen numbers, as exporters get a run."""
    strategies = [
        Lora(LoraOptions(lr=1.0, r=4, mlp=True)),
        TextProjection(TextProjection.Options(lr=1.0)),
        LanguageTag(LanguageTagOptions(lr=1.0, row=ROW)),
    ]
    return finished(folder, strategies, language=half.TAG, checkpoint=base, training=frozen_numbers(seed))


def frozen_cases(name: str, folder: Path, seed: int | None = None) -> dict[str, dict[str, Any]]:
    """Base and exports of one golden checkpoint below a folder, with what is asked of them."""
    base, voice = half.base_without_norwegian(name, folder / "base" / name), half.reference_wave(folder)
    run = frozen_run(base, folder / "run" / name, SEEDS[name] if seed is None else seed)
    exports = folder / "run" / name / "export"
    Adapter().export(run, exports / "adapter", Quiet())
    for dtype, place in (("fp32", "merged"), ("bf16", "merged_bf16")):
        Merged(Merged.Options(dtype=dtype)).export(run, exports / place, Quiet())
    options = CustomVoice.Options(voices={"Solveig": str(voice)}, dtype="fp32")
    CustomVoice(options).export(run, exports / "custom_voice", Quiet())
    cases = half.cases_of(base, exports)
    for case in cases.values():
        case["requests"] = {key: one for key, one in case["requests"].items() if key in REQUESTS}
    return cases


def smallest_margin(traces: list[generation.Trace], end: int) -> float:
    """The gap between the best and the second best of all greedy decisions, smallest of all."""
    gaps = []
    for trace in traces:
        seen = torch.zeros(1, trace.logits_DC.shape[1], dtype=torch.bool)
        for decision, logits_C in enumerate(trace.logits_DC):
            allowed_C = generation.allowed_ids(len(logits_C), end)
            scores = generation.talker_scores(logits_C[None], seen, allowed_C, end, decision, generation.GREEDY)
            gaps.append(float(-scores.topk(2).values.diff()))
            if decision < len(trace.codes_TQ):
                seen[0, int(trace.codes_TQ[decision, 0])] = True
        if len(trace.codes_TQ):
            gaps.append(float((-trace.sub_logits_TKV.topk(2).values.diff()).min()))
    return min(gaps)


def speak_with_margin(case: dict[str, Any], voice: Path) -> float:
    """Let kathrine speak a case, looking over its shoulder."""
    traces: list[generation.Trace] = []

    def traced(network: Any, prompts: Any, sampling: Any, frames: int, *rest: Any) -> list[Any]:
        made = generation.generate_traced(network, prompts, sampling, frames)
        traces.extend(made)
        return made

    inner, model_module.generate = model_module.generate, traced
    try:
        half.speak(case, voice, Workspace.default(), FRAMES)
    finally:
        model_module.generate = inner
    config = read_config(half.complete(case))
    return smallest_margin(traces, config["talker_config"]["codec_eos_token_id"])


if __name__ == "__main__":
    torch.set_num_threads(1)
    target = Path(sys.argv[1]).resolve()
    cases: dict[str, dict[str, Any]] = {}
    target.mkdir(parents=True)
    for name in SEEDS:
        cases |= frozen_cases(name, target)
    voice = half.reference_wave(target)
    for name, case in cases.items():
        margin = speak_with_margin(case, voice)
        print(f"{name}: smallest margin {margin:.1e}{'' if margin > MARGIN else ', TOO SMALL: choose another seed'}")
    half.write_plan(target, cases, Workspace.default(), FRAMES)
