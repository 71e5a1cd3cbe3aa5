"""What every export ends with: it is loaded from the disk again and laid beside the run's own model.

Compared are the teacher-forced talker loss and the text gain (that loss with another utterance's text, less the loss
with the right one) on the same held-out utterances, and the codes of one sentence, greedily. Where nothing was rounded
the numbers have to agree and the codes to be equal, else nothing is kept. Where something was, a difference above a
hundredth of the gain is told: by that much less, or more, the export listens to its text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.components import FinishedRun, ModelFamily, SpeechModel
from kathrine.errors import KathrineError
from kathrine.types import Spoken

if TYPE_CHECKING:
    import numpy as np

TOLERANCE = 1e-5
"""Relative to the loss, and absolute below 1 nat: what the order of additions may change."""
SHARE = 0.01
"""Of the run's text gain: what rounding to bf16 may change loss and gain by without a warning."""
LEAST_GAIN = 0.1
"""Nat: a smaller gain is the run's own fault, and a hundredth of it below what rounding does to any loss."""
NOTICEABLE = 0.01
"""Nat: what rounding may change a loss by where the gain is too small to measure by."""
SAMPLE = Path("samples") / "self-check.wav"
GRAVE = ("empty", "not finite", "silent", "runaway", "no end", "repeated")
"""Flags of a take that are told even where the run's own model does the same."""
REPORT = "nothing was kept of this export; please report it together with the recipe"


@dataclass(slots=True)
class Findings:
    """checks: name -> measured value or sentence. notes: what a user should act on. spoken: each take."""

    checks: dict[str, float | str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    spoken: list[dict[str, Any]] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """As the manifest has it."""
        return {"checks": self.checks, "notes": self.notes, "spoken": self.spoken}


def compare(run: FinishedRun, reloaded: SpeechModel, exact: bool, what: str, remedy: str = "") -> Findings:
    """Loss and text gain of the run's model and of the reloaded one on the same held-out utterances.

    Given: exact, whether nothing between the two was rounded; what, the export's name; remedy, what to do about a
    difference that rounding made. Raises: KathrineError where they have to be equal and are not, and where one of the
    export's is not finite.
    """
    wanted, found = run.validation_loss(run.model), run.validation_loss(reloaded)
    gain, gain_found = run.text_gain(run.model), run.text_gain(reloaded)
    checks: dict[str, float | str] = {
        "loss of the run": wanted,
        "loss after reloading": found,
        "difference": abs(found - wanted),
    }
    pairs = {"loss": (wanted, found)}
    if gain is not None and gain_found is not None:
        pairs["text gain"] = gain, gain_found
        checks |= {
            "text gain of the run": gain,
            "text gain after reloading": gain_found,
            "gain difference": abs(gain_found - gain),
        }
    findings = Findings(checks)
    for name, (before, after) in pairs.items():
        difference = abs(after - before)
        wrong = exact and not difference <= TOLERANCE * max(1.0, abs(before))
        if wrong or not math.isfinite(after):
            raise KathrineError(
                f"{what} has a {name} of {after:.6f} after reloading, the run's model has {before:.6f}", REPORT
            )
        measured = gain is not None and gain >= LEAST_GAIN
        bound = SHARE * gain if measured and gain is not None else NOTICEABLE
        if not exact and difference > bound:
            why = f"more than a hundredth of the run's text gain of {gain:.3f}" if measured else f"more than {bound}"
            findings.notes.append(
                f"the stored model has a {name} {difference:.4f} nat away from the run's, {why}{remedy}"
            )
    return findings


def speak(
    run: FinishedRun,
    reloaded: SpeechModel,
    family: ModelFamily,
    folder: Path,
    findings: Findings,
    *,
    exact: bool,
    what: str,
    speaker: str | None = None,
    embedding_H: np.ndarray | None = None,
    sample: Path = SAMPLE,
) -> None:
    """Let the reloaded model say the run's first test sentence, keep the take in the export, and compare its codes with
    those of the run's model.

    Given: exact, whether the codes have to be equal; speaker, a voice of the export's own, with embedding_H, the one
    that the run's model is given for it; sample, where in `folder` the take goes. What was found is added to findings.
    Raises: KathrineError for other codes where they have to be equal.
    """
    from kathrine.speech.takes import write_wave

    spoken = run.speak(reloaded, family, speaker)
    own = run.speak(run.model, run.family) if speaker is None else run.speak(run.model, run.family, None, embedding_H)
    name = f" ({speaker})" if speaker is not None else ""
    if spoken is None or own is None:
        findings.notes.append(f"nothing was spoken{name}: there is no sentence that can be")
        return
    equal = frames_in_common(own, spoken)
    same = equal == len(own.codes_TQ) == len(spoken.codes_TQ)
    if exact and not same:
        raise KathrineError(
            f"{what} says {spoken.text!r}{name} in other codes than the run's model, from frame {equal} on", REPORT
        )
    write_wave(folder / sample, spoken.wave, spoken.sample_rate)
    codes = "as the run's" if same else f"as the run's for {equal} of {len(own.codes_TQ)} frames"
    findings.checks |= {f"codes{name}": codes, f"flags{name}": ", ".join(spoken.flags) or "none"}
    take = {
        "file": sample.as_posix(),
        "text": spoken.text,
        "voice": speaker or "",
        "seconds": len(spoken.wave) / spoken.sample_rate,
        "stop": spoken.stop,
        "flags": list(spoken.flags),
        "codes": codes,
    }
    findings.spoken.append(take)
    told = [flag for flag in spoken.flags if flag in GRAVE or flag not in own.flags]
    if told:
        as_before = "; the run's model says it so too" if set(told) <= set(own.flags) else ""
        findings.notes.append(f"the sentence said after reloading{name} is flagged: {', '.join(told)}{as_before}")


def frames_in_common(one: Spoken, other: Spoken) -> int:
    """Frames at the beginning of two takes whose codes are all equal."""
    count = 0
    for mine, theirs in zip(one.codes_TQ.tolist(), other.codes_TQ.tolist(), strict=False):
        if mine != theirs:
            break
        count += 1
    return count


def lost_updates(cosines: Mapping[str, float], good: float) -> list[str]:
    """A sentence for every part of whose update much was rounded away."""
    return [
        f"{part}: the stored update has a cosine of {cosine:.3f} with the trained one, much of it was rounded away by "
        'bf16; set dtype = "fp32"'
        for part, cosine in cosines.items()
        if cosine < good
    ]
