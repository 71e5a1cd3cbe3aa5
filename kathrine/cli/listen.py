"""`kathrine listen`: a blind listening page of two or three systems, and what listeners' answers say."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import click

from kathrine.errors import KathrineError

QUESTION = "Which one sounds more like a native speaker?"


@click.command("listen")
@click.argument("systems", nargs=-1, metavar="A B [C]")
@click.option("--out", type=click.Path(path_type=Path), default=Path("listening.html"), show_default=True, help="Page.")
@click.option("--question", default=QUESTION, show_default=True, help="What listeners are asked about each pair.")
@click.option("--pairs", type=click.IntRange(min=1), default=40, show_default=True, help="Pairs to ask, at most.")
@click.option("--checkpoint", "steps", multiple=True, metavar="STEP", help="Of a run: samples of this step; one each.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Order and sides.")
@click.option("--score", "results", multiple=True, type=click.Path(path_type=Path), help="A listener's results file.")
@click.option("--key", type=click.Path(path_type=Path), help="The test's key. [default: beside --out]")
@click.option("--json", "as_json", is_flag=True, help="Scores as JSON.")
def command(
    systems: tuple[str, ...],
    out: Path,
    question: str,
    pairs: int,
    steps: tuple[str, ...],
    seed: int,
    results: tuple[Path, ...],
    key: Path | None,
    as_json: bool,
) -> None:
    """Write one page on which people compare A, B and C without knowing which is which; or --score their results.

    A, B, C: runs, or folders that `kathrine speak --out` wrote; texts that all of them have said are compared. The page
    works from a file and on a phone. Beside it lies its key, which listeners must not see and --score needs.
    """
    key = key or out.with_suffix(".key.json")
    if results:
        if systems or steps:
            raise KathrineError("--score reads the results of a test that was made", "leave the systems out")
        score(results, key, as_json)
        return
    if as_json:
        raise KathrineError("--json is for scores", "give --score too, or leave it out")
    if any(not step.isdigit() for step in steps):
        raise KathrineError("--checkpoint is a step whose samples were spoken", "give a number, as in samples/STEP")
    if len(systems) not in (2, 3):
        raise KathrineError(f"{len(systems)} systems given", "name two or three: kathrine listen RUN_A RUN_B")
    if steps and len(steps) != len(systems):
        raise KathrineError("--checkpoint is given once for each system, or not at all")
    write_page(systems, steps or ("",) * len(systems), out, key, question, pairs, seed)


def write_page(
    systems: tuple[str, ...], steps: tuple[str, ...], out: Path, key: Path, question: str, pairs: int, seed: int
) -> None:
    """The page and its key. Raises: KathrineError where either is there already: a key that is lost scores nothing."""
    from kathrine.corpus.files import write_text
    from kathrine.speech.blind_page import listening_page
    from kathrine.speech.blind_test import find_takes, key_document, make_trials

    for path in (out, key):
        if path.exists():
            raise KathrineError(f"{path} is there already", "give --out another name, or remove it")
    names = [
        f"{system.rstrip('/')}@{step}" if step else system.rstrip("/")
        for system, step in zip(systems, steps, strict=True)
    ]
    if len(set(names)) < len(names):
        raise KathrineError("the same system is given twice", "name different runs, folders or steps")
    takes = {name: find_takes(system, step) for name, system, step in zip(names, systems, steps, strict=True)}
    clips, trials = make_trials(takes, pairs, seed)
    contents = "".join(hashlib.sha256(clip.path.read_bytes()).hexdigest() for clip in clips)
    test = hashlib.sha256(f"{question}{seed}{contents}".encode()).hexdigest()[:12]
    page = listening_page(test, question, clips, trials)
    document = json.dumps(key_document(test, clips, trials, question), ensure_ascii=False, indent=1)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text(key, document + "\n")
    write_text(out, page)
    click.echo(f"{out}: {len(trials)} pairs of {len(takes)} systems, {len(page) / 1e6:.1f} MB. Give it to listeners.")
    click.echo(
        f"{key}: tells which is which. Keep it, and score with: kathrine listen --key {key} --score RESULTS.json"
    )


def score(results: tuple[Path, ...], key: Path, as_json: bool) -> None:
    """What listeners preferred, with confidence intervals."""
    from dataclasses import asdict

    from kathrine.speech.blind_test import compare, read_answers

    if not key.is_file():
        raise KathrineError(f"there is no key {key}", "name the one that was written beside the page with --key")
    document = json.loads(key.read_text(encoding="utf-8"))
    votes = read_answers(results, document)
    systems = list(dict.fromkeys(clip["system"] for clip in document["clips"].values()))
    found = compare(votes, systems)
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=1))
        return
    if not found:
        raise KathrineError("the results hold no answers", "let listeners answer at least one pair")
    from rich.console import Console
    from rich.table import Table

    listeners = len({vote["listener"] for vote in votes})
    table = Table("preferred", "over", "share", "95 %", "votes", title=document["question"], title_justify="left")
    for one in found:
        first, second, share, low, high = one.first, one.second, one.preference, one.low, one.high
        if share < 0.5:
            first, second, share, low, high = second, first, 1 - share, 1 - high, 1 - low
        wins = sorted((one.wins_first, one.wins_second), reverse=True)
        counts = f"{wins[0]} : {wins[1]}, {one.same} without difference"
        table.add_row(first, second, f"{share:.0%}", f"{low:.0%} to {high:.0%}", counts)
    console = Console(highlight=False)
    console.print(table)
    few = " (few: ask at least ten)" if listeners < 10 else ""
    heard = "1 listener" if listeners == 1 else f"{listeners} listeners"
    console.print(f"{heard}{few}. An interval that holds 50 % shows no preference.")
