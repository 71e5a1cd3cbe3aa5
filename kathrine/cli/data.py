"""`kathrine data RECIPE`: the figures of a prepared corpus, and its utterances one by one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from kathrine.corpus.figures import Figures, gather
from kathrine.corpus.gates import EXPLANATIONS
from kathrine.corpus.prepared import known_folder
from kathrine.corpus.verdicts import read_verdicts
from kathrine.errors import KathrineError
from kathrine.recipe.recipe import load_recipe
from kathrine.suggest import did_you_mean, listing
from kathrine.workspace import Workspace

ANY = "*"


@click.command("data")
@click.argument("recipe")
@click.option("--profile", metavar="NAME", help="Profile of the recipe to lay over it.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Set one option; may be repeated.")
@click.option("--text", "pattern", metavar="PATTERN", help="List utterances whose text matches (regular expression).")
@click.option(
    "--rejected",
    "rejected",
    metavar="[REASON]",
    is_flag=False,
    flag_value=ANY,
    help="List what was left out, for one reason or for any.",
)
@click.option(
    "--limit", type=click.IntRange(min=0), default=40, show_default=True, help="Utterances listed at most; 0: all."
)
@click.option("--play", "number", type=int, metavar="N", help="Play utterance N; numbers are those of the lists.")
@click.option("--save", metavar="FILE", help="With --play: write it to this WAV file instead.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def command(
    recipe: str,
    profile: str | None,
    sets: tuple[str, ...],
    pattern: str | None,
    rejected: str | None,
    limit: int,
    number: int | None,
    save: str | None,
    as_json: bool,
) -> None:
    """Show what RECIPE's prepared corpus consists of, and find and play its utterances.

    The same figures, with sound, are in corpus.html in its folder. Profile and settings must be those that it was
    prepared with. --play uses ffplay, afplay, pw-play, paplay, aplay, play (SoX) or mpv, whichever is there.
    """
    resolved = load_recipe(recipe, profile, sets)
    folder = known_folder(resolved, Workspace.default())
    if folder is None:
        told = " ".join([recipe, *([f"--profile {profile}"] if profile else []), *(f"--set {one}" for one in sets)])
        raise KathrineError("the data of this recipe is not prepared", f"run `kathrine prepare {told}`")
    if save and number is None:
        raise KathrineError("--save writes one utterance: which?", "add --play N; --text PATTERN finds numbers")
    if number is not None:
        play(folder, number, save)
        return
    if pattern is not None or rejected is not None:
        found = matching(folder, pattern, rejected)
        if as_json:
            rows = [{"number": place, **told} for place, told in found]
            click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
            return
        from kathrine.corpus.figures_text import utterances_view

        _print(utterances_view(found, limit))
        return
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    figures = gather(read_verdicts(folder), facts)
    if as_json:
        told_json = {"folder": str(folder), **figures_json(figures), **facts}
        click.echo(json.dumps(told_json, indent=1, ensure_ascii=False))
        return
    from kathrine.corpus.figures_text import figures_view

    _print(figures_view(figures, facts, resolved.prepare))
    page = folder / "corpus.html"
    if page.is_file():
        click.echo(f"to look at and listen to: {page}")


def _print(view: Any) -> None:
    from rich.console import Console

    Console(highlight=False, markup=False).print(view)


def matching(folder: Path, pattern: str | None, rejected: str | None) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Number and verdict of utterances of which a text matches, or that were left out, or both.

    Raises:
        KathrineError: no regular expression, or no reason of that name.
    """
    try:
        wanted = re.compile(pattern or "", re.IGNORECASE)
    except re.error as error:
        raise KathrineError(
            f"--text {pattern!r} is no regular expression: {error}", "put \\ before signs such as ( and ?"
        ) from error
    if rejected is not None and rejected != ANY and rejected not in EXPLANATIONS:
        guess = did_you_mean(rejected, list(EXPLANATIONS))
        raise KathrineError(f"no utterance is left out for '{rejected}'{guess}", f"reasons: {listing(EXPLANATIONS)}")
    for number, told in enumerate(read_verdicts(folder), start=1):
        if rejected is not None and (told["kept"] or rejected not in (ANY, told["reason"])):
            continue
        if any(wanted.search(text) for text in told["texts"].values()):
            yield number, told


def play(folder: Path, number: int, save: str | None) -> None:
    """Play or save the utterance of that number, after saying what it is."""
    from kathrine.corpus.playing import find_player, play_utterance, save_utterance

    told = next((told for place, told in enumerate(read_verdicts(folder), start=1) if place == number), None)
    if told is None:
        count = sum(1 for _ in read_verdicts(folder))
        raise KathrineError(f"there is no utterance {number}", f"numbers go from 1 to {count}")
    _print(f"{told['entry']}/{told['id']} by {told['speaker']}: {told['texts'].get('text', '')}")
    _print("kept" if told["kept"] else f"left out: {told['reason']} {told.get('detail', '')}".rstrip())
    if save:
        seconds = save_utterance(told, Path(save))
        click.echo(f"{seconds:.2f} s written to {save}")
        return
    player = find_player()
    if player is None:
        part = f" from {told.get('start') or 0:g} s" if told.get("start") else ""
        part += f" to {told['end']:g} s" if told.get("end") is not None else ""
        click.echo(f"no player is installed; the recording is {told.get('audio')}{part}")
        click.echo("--save FILE writes this utterance as WAV; corpus.html plays some in a browser")
        return
    play_utterance(told, player)


def figures_json(figures: Figures) -> dict[str, Any]:
    """Figures as JSON knows them: hours in and kept, reasons, histograms by the lower edge of their bins."""

    def hours(one: Any) -> dict[str, Any]:
        return {name: getattr(one, name) for name in ("seen", "kept", "seconds_in", "seconds_kept", "unknown")}

    def bins(histogram: Any) -> list[dict[str, Any]]:
        return [
            {
                "from": histogram.measure.edges(place)[0],
                "kept": histogram.kept[place],
                "left_out": histogram.left[place],
            }
            for place in histogram.span()
        ]

    return {
        "total": hours(figures.total),
        "hours": {name: hours(entry.hours) for name, entry in figures.entries.items()},
        "speakers": {
            name: {speaker: hours(one) for speaker, one in entry.speakers.items()}
            for name, entry in figures.entries.items()
        },
        "reasons": dict(figures.reasons),
        "histograms": {name: bins(histogram) for name, histogram in figures.histograms.items()},
        "pauses": {name: bins(entry.pauses) for name, entry in figures.entries.items()},
    }
