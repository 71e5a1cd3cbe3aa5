"""What `--levers` found, as a table for people and as JSON for programs. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

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
    """losses: weights by name. activation_drift: None where there is no base to compare with; then
    activation_drift_missing says why."""

    model: str
    told: tuple[str, ...]
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
    from rich.table import Table

    table = Table(title="levers, by gain per parameter", title_justify="left")
    table.add_column("piece", no_wrap=True)
    known = report.known is not None
    names = ["parameters", "gain / M par.", "gain", "grad norm", "grad / par.", *(["cosine"] if known else []), "Fisher"]
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for lever in report.measured.levers:
        table.add_row(lever.name, *cells(lever, known))
    return table


def cells(lever: Lever, known: bool) -> list[str]:
    """A lever's numbers as text: gain per million parameters, - where there was no step or no gradient."""
    numbers = [
        None if lever.gain_per_parameter is None else lever.gain_per_parameter * 1e6,
        lever.gain,
        lever.gradient_norm,
        lever.gradient_per_parameter,
        *([lever.cosine] if known else []),
        lever.fisher,
    ]
    if not lever.reached:
        return [f"{lever.parameters:,}", "not in the loss", *("-" for _ in numbers[1:])]
    return [f"{lever.parameters:,}", *("-" if value is None else f"{value:.3g}" for value in numbers)]


def drift_table(report: LeverReport) -> RenderableType:
    """Drift of what flows through a run's model, or why there is none."""
    from rich.table import Table

    if report.activation_drift is None:
        return f"activation drift: not applicable: {report.activation_drift_missing}"
    table = Table(title="activation drift, trained against base", title_justify="left")
    table.add_column("what comes out of", no_wrap=True)
    table.add_column("target", justify="right")
    if report.known is not None:
        table.add_column("known language", justify="right")
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
    return told
