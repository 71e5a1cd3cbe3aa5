"""The estimate of `kathrine check --fit` for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kathrine.inspect import fit_table as table

if TYPE_CHECKING:
    from rich.console import Console

    from kathrine.inspect.fit_estimate import Fit
    from kathrine.inspect.fit_time import Duration

STYLES = {"fits": "green", "close": "yellow", "does not fit": "bold red"}


def gib(count: float) -> str:
    return f"{count / 2**30:.2f} GiB"


def print_fit(console: Console, fit: Fit) -> None:
    """The parts of the peak, the verdict, the time, what was assumed, and what to change where it does not fit."""
    from rich.table import Table

    need, load = fit.need, fit.load
    console.print(f"memory at the highest point of an update: {need.where}", style="bold", soft_wrap=True)
    parts = Table(show_header=False)
    parts.add_column()
    parts.add_column(justify="right")
    for name, count in (
        ("frozen weights", need.weights),
        ("trained weights, with their first values", need.trained),
        ("AdamW's moments", need.optimizer),
        ("gradients", need.gradients),
        (f"activations of {load.items} utterances, {load.rows:,} rows", need.activations),
    ):
        parts.add_row(name, gib(count))
    parts.add_section()
    parts.add_row("together", gib(need.total))
    parts.add_row(f"usable of {fit.gpu.name}", gib(fit.usable))
    console.print(parts)
    doubt = "" if table.VERIFIED_ON_GPU else f"; {table.NOT_VERIFIED}"
    console.print(f"{fit.gpu.name}: {fit.verdict}{doubt}", style=STYLES[fit.verdict], soft_wrap=True)
    console.print(f"time: {told_time(fit.duration)}{doubt}", soft_wrap=True)
    for sentence in fit.assumed:
        console.print(f"assumed: {sentence}", soft_wrap=True)
    if fit.advice:
        console.print("to make it fit, one after the other:")
    for one in fit.advice:
        console.print(f"  {one.change}: {gib(one.bytes)}{', fits' if one.fits else ''}", soft_wrap=True)
    if fit.advice and not fit.advice[-1].fits:
        least = min(one.bytes for one in fit.advice) / table.USABLE
        console.print(f"that is not enough: take a GPU of {least / 2**30:.0f} GB or more", soft_wrap=True)


def told_time(time: Duration) -> str:
    """Of the run where its length is known, else of 1,000 updates."""
    work = f"{time.operations / 1e12:.1f} TFLOP an update"
    if time.seconds is None:
        return f"{work}; name a GPU, such as 'RTX 4090', to be told hours"
    slow = ", which only emulates bf16 and is taken to compute in float32" if time.emulated else ""
    if time.hours is not None:
        return f"about {time.hours:.1f} h for {time.updates:,} updates, {work}{slow}"
    return f"about {time.seconds * 1000 / 3600:.2f} h for 1,000 updates, {work}{slow}"
