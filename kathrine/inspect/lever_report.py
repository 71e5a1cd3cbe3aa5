"""What `--levers` found, as a table for people and as JSON for programs. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from kathrine.inspect.show import human_count, narrow_table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from kathrine.inspect.activations import ActivationDrift
    from kathrine.inspect.levers import Lever, Measured

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Spoken:
    """What the numbers of a language were measured on. tags: utterances by the language tag of their prompt."""

    recipe: str
    utterances: int
    frames: int
    entries: Mapping[str, int]
    tags: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class LeverReport:
    """parts: in the order in which a person reads the model. losses: weights by name. activation_drift: None where
    there is no base to compare with; then activation_drift_missing says why."""

    model: str
    told: tuple[str, ...]
    parts: tuple[str, ...]
    losses: Mapping[str, float]
    step: float
    target: Spoken | None
    known: Spoken | None
    measured: Measured
    activation_drift: tuple[ActivationDrift, ...] | None
    activation_drift_missing: str

    def as_json(self) -> dict[str, Any]:
        """Plain data; docs/inspect.md explains every key."""
        return {
            "format": FORMAT,
            "model": self.model,
            "loaded": list(self.told),
            "parts": list(self.parts),
            "losses": dict(self.losses),
            "step": self.step,
            "target": asdict(self.target) if self.target else None,
            "known": asdict(self.known) if self.known else None,
            "loss": self.measured.loss,
            "known_loss": self.measured.known_loss,
            "levers": [asdict(lever) for lever in self.measured.levers],
            "activation_drift": (
                None if self.activation_drift is None else [asdict(one) for one in self.activation_drift]
            ),
            "activation_drift_missing": self.activation_drift_missing,
        }


def lever_table(report: LeverReport) -> RenderableType:
    """Every piece, sorted by gain per parameter; without a known language there is no column of cosines."""
    known = report.known is not None
    names = ["params", "gain/M", "gain", "norm", "RMS", *(["cosine"] if known else []), "Fisher"]
    title = "levers, by gain per parameter (gain/M: per million parameters)"
    table = narrow_table(title, ["piece"], names)
    for lever in report.measured.levers:
        numbers = cells(lever, known)
        table.add_row(lever.name, human_count(lever.parameters).replace(" ", ""), *numbers)
    return table


def cells(lever: Lever, known: bool) -> list[str]:
    """Gain per million parameters, gain, gradient norm and per parameter, cosine, Fisher, as text: - where there was no
    step or no gradient."""
    numbers: list[float | None] = [
        None if lever.gain_per_parameter is None else lever.gain_per_parameter * 1e6,
        lever.gain,
        lever.gradient_norm if lever.reached else None,
        lever.gradient_per_parameter if lever.reached else None,
        lever.fisher if lever.reached else None,
    ]
    told = ["-" if value is None else three_digits(value) for value in numbers]
    cosine = "-" if lever.cosine is None else f"{lever.cosine:.3f}"
    return [*told[:-1], *([cosine] if known else []), told[-1]]


def three_digits(value: float) -> str:
    """A number in at most eight letters: 0.0178, 9.53e-5, -1.2e-10."""
    small = value != 0 and abs(value) < 1e-3
    mantissa, _, exponent = (f"{value:.2e}" if small else f"{value:.3g}").partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa


def drift_table(report: LeverReport) -> RenderableType:
    """Drift of what flows through a run's model, or why there is none."""
    if report.activation_drift is None:
        return f"activation drift: not applicable: {report.activation_drift_missing}"
    names = ["target", *(["known language"] if report.known is not None else [])]
    table = narrow_table("activation drift, trained against base", ["what comes out of"], names)
    for one in report.activation_drift:
        known = [] if report.known is None else ["-" if one.known is None else f"{one.known:.3%}"]
        table.add_row(one.name, f"{one.target:.3%}", *known)
    return table


def lines(report: LeverReport) -> list[str]:
    """What the numbers were measured on, a line each."""
    told = []
    for which, one in (("target", report.target), ("known", report.known)):
        if one is not None:
            tags = ", ".join(f"{name} {count}" for name, count in one.tags.items())
            loss = report.measured.loss if which == "target" else report.measured.known_loss
            told.append(
                f"{which} language: {one.recipe}, {one.utterances} utterances, {one.frames:,} frames, "
                f"prompts by tag: {tags}; loss {loss:.4f} nat"
            )
    if report.known is None:
        told.append("no known language: --against RECIPE adds the cosine between the two gradients")
    terms = " + ".join(f"{weight:g} x {name}" if weight != 1 else name for name, weight in report.losses.items())
    told.append(f"loss: {terms}; step: {report.step:g} of the length of a piece's weights")
    missing = [lever.name for lever in report.measured.levers if not lever.reached]
    if missing:
        told.append(f"the loss of these utterances does not depend on {', '.join(missing)}: no gradient, no step")
    return told
