"""A census, a tree and a self-test as tables for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from kathrine.inspect.census import Branch, Census
from kathrine.types import ModelFacts, ParameterSpec, SelfCheck

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


def human_count(number: float) -> str:
    """1234567 as `1.23 M`: three significant digits."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number / limit:.3g} {unit}"
    return f"{number:.0f}"


def human_bytes(number: float) -> str:
    """Bytes in binary units."""
    for limit, unit in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if number >= limit:
            return f"{number / limit:.3g} {unit}"
    return f"{number:.0f} B"


def narrow_table(title: str, left: Sequence[str], right: Sequence[str], last: Sequence[str] = ()) -> Table:
    """A table without lines, so that many columns fit; names stand left, numbers right."""
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for names, justify in ((left, "left"), (right, "right"), (last, "left")):
        for name in names:
            table.add_column(name, justify=justify, no_wrap=names is not last, overflow="fold")  # type: ignore[arg-type]
    return table


def parts_table(census: Census, title: str) -> RenderableType:
    """Parts, tensors, parameters and share; with claims also what trains at which learning rate."""
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column("part")
    for name in ("tensors", "parameters", "share"):
        table.add_column(name, justify="right")
    trains = census.trained > 0
    if trains:
        table.add_column("trains")
    for part in census.parts:
        cells = [part.part, str(part.tensors), f"{part.parameters:,}", f"{part.share:.1%}"]
        if trains:
            cells.append(
                "\n".join(
                    f"{one.strategy}: {'+' if one.added else ''}{one.parameters:,} at lr {one.lr:g}"
                    for one in part.training
                )
                or "frozen"
            )
        table.add_row(*cells)
    footer = ["in all", str(census.tensors), f"{census.parameters:,}", "100.0%"]
    if trains:
        footer.append(f"{census.trained:,}; weights, gradients and AdamW: {human_bytes(census.optimizer_bytes)}")
    table.add_section()
    table.add_row(*footer)
    return table


def tree_view(branch: Branch, title: str) -> RenderableType:
    """The module tree with shapes; folded siblings show how many they are."""
    from rich.tree import Tree

    def grow(tree: Tree, node: Branch) -> None:
        for child in node.children.values():
            times = f" x{child.repeats}" if child.repeats > 1 else ""
            if child.shape is not None and not child.children:
                tree.add(f"{child.name}{times} [dim]{list(child.shape)}[/dim]")
            else:
                grow(
                    tree.add(f"[bold]{child.name}[/bold]{times} [dim]{human_count(child.parameters)}[/dim]"),
                    child,
                )

    root = Tree(title)
    grow(root, branch)
    return root


def self_test_table(checks: Sequence[SelfCheck]) -> RenderableType:
    """One line a check: pass or fail, measured against its limit, and what it means."""
    from rich.table import Table

    table = Table(title="self-test", title_justify="left")
    for name in ("check", "result", "measured", "limit"):
        table.add_column(name, no_wrap=True)
    table.add_column("what it means")
    for check in checks:
        verdict = "[green]pass[/green]" if check.passed else "[red]FAIL[/red]"
        table.add_row(check.name, verdict, f"{check.measured:.4g}", f"{check.limit:.4g}", check.explanation)
    return table


def drift_tables(drift: Mapping[str, Any]) -> list[RenderableType]:
    """What each strategy touched, and how far each piece that it touched has moved."""
    title = f"what the strategies trained, as of step {drift['step']}"
    touched = narrow_table(title, ["strategy"], ["in place", "added", "adapted weights"], ["parts"])
    for one in drift["touched"]:
        counts = (f"{one[name]:,}" for name in ("trained", "added", "adapted"))
        touched.add_row(one["strategy"], *counts, ", ".join(one["parts"]) or "-")
    numbers = ["relative L2", "spectral norm", "effective rank"]
    moved = narrow_table("how far they moved the model", ["piece"], numbers, ["by"])
    for one in drift["pieces"]:
        spectral = "-" if one["spectral_norm"] is None else f"{one['spectral_norm']:.3g}"
        rank = "-" if one["effective_rank"] is None else f"{one['effective_rank']:.2f}"
        moved.add_row(one["name"], f"{one['relative_l2']:.4%}", spectral, rank, ", ".join(one["strategies"]))
    still = [name for name, part in drift["parts"].items() if not part["changed"]]
    told: list[RenderableType] = [touched, moved, f"unchanged parts: {', '.join(still) or 'none'}"]
    return told + [f"strategy.{name} is not in these numbers: {why}" for name, why in drift["not_measured"].items()]


def as_json(
    facts: ModelFacts,
    specs: Sequence[ParameterSpec],
    census: Census,
    checks: Sequence[SelfCheck] | None,
    drift: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The whole inspection as plain data. `self_test` is null where it did not run, `drift` too, and for all but
    runs."""
    self_test = None
    if checks is not None:
        self_test = {
            "passed": all(check.passed for check in checks),
            "checks": [asdict(check) for check in checks],
        }
    return {
        "model": asdict(facts),
        "tensors": census.tensors,
        "parameters": census.parameters,
        "trained": census.trained,
        "optimizer_bytes": census.optimizer_bytes,
        "parts": [asdict(part) for part in census.parts],
        "names": {spec.name: list(spec.shape) for spec in specs},
        "self_test": self_test,
        "drift": None if drift is None else dict(drift),
    }
