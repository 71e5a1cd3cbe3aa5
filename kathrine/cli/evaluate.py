"""`kathrine evaluate`: speak a fixed set of sentences, score every take, and say what the numbers are."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import click

from kathrine.errors import KathrineError

positive = click.FloatRange(min=0, min_open=True)
folder_type = click.Path(path_type=Path)
TYPED = {"references": "reference", "speakers": "speaker", "set_file": "set"}
"""Options whose name differs from what is typed."""
SPOKEN = (
    "set_file", "limit", "seeds", "references", "speakers", "voices", "recordings", "retention", "adapter",
    "checkpoint", "without", "lora_scale", "max_seconds", "dtype", "again",
)  # fmt: skip
"""Options of what is spoken: without effect where nothing is."""


@click.command("evaluate")
@click.argument("target")
@click.option("--out", type=folder_type, help="Folder. [default: RUN/evaluation, or evaluation]")
@click.option("--set", "set_file", type=folder_type, help="Lines `clip|text`. [default: the language's own set]")
@click.option("--limit", type=click.IntRange(min=0), default=0, help="Sentences, spread evenly; 0: all.")
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True, help="Takes of each sentence.")
@click.option("--reference", "references", multiple=True, type=folder_type, help="Recording that gives a voice.")
@click.option("--speaker", "speakers", multiple=True, help="One of the model's own voices.")
@click.option(
    "--voices", type=click.IntRange(min=1), default=2, show_default=True, help="Held-out speakers of the run."
)
@click.option("--recordings", type=folder_type, help="Human recordings of the same sentences: the floor.")
@click.option("--checkpoints", default="", metavar="all|STEP,...", help="Compare checkpoints and say which to keep.")
@click.option("--saved-samples", is_flag=True, help="Score the samples that the run saved; speak nothing.")
@click.option("--retention", is_flag=False, flag_value="english,german", default="", metavar="[LANGUAGES]",
              help="Base languages before and after. [english,german]")  # fmt: skip
@click.option("--base", default="", metavar="MODEL", help="What a complete model was before, for --retention.")
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="Instead of those of the recipe.")
@click.option("--metric-option", "metric_options", multiple=True, metavar="NAME.KEY=VALUE", help="Over the recipe's.")
@click.option("--adapter", default="", metavar="FOLDER", help="Put this adapter onto the model; a folder or hub:ID.")
@click.option("--checkpoint", default="best", show_default=True, metavar="WHICH", help="Of a run: best, last, a step.")
@click.option("--without", default="", metavar="PARTS", help="Leave parts out: lora,text_projection,language_tag.")
@click.option("--lora-scale", type=click.FloatRange(min=0), help="Factor on the effect of LoRAs.")
@click.option("--language", default="", help="Language tag, set and text rules. [default: the run's]")
@click.option("--max-seconds", type=positive, default=30.0, show_default=True, help="Hard limit of one sentence.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--dtype", type=click.Choice(["auto", "fp32", "bf16"]), default="auto", help="auto: bf16 on CUDA.")
@click.option("--offline", is_flag=True, help="Fetch nothing.")
@click.option("--again", is_flag=True, help="Speak anew what is there already.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def command(target: str, set_file: Path | None, as_json: bool, **flags: Any) -> None:
    """Measure TARGET on sentences that training never had, with intervals, and say what each number is not.

    TARGET: a run, a checkpoint's folder, an adapter, a model, or hub:OWNER/NAME[@REVISION][/FOLDER]. Takes, scores and
    results.json go to --out; an evaluation that was killed goes on where it was. A metric whose model or package is
    missing is skipped with the reason.
    """
    context = click.get_current_context()
    from_user = click.core.ParameterSource.COMMANDLINE
    refuse_contradictions({name for name in context.params if context.get_parameter_source(name) is from_user})
    from kathrine.progress import open_progress
    from kathrine.train.evaluating import Evaluation, evaluate

    with open_progress() as progress:
        document, systems = evaluate(target, Evaluation(set=set_file, **flags), progress)
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False, indent=1))
        return
    # what an earlier evaluation chose stays in the file, and is not told as if it were found now
    choice = document.get("choice") if flags["checkpoints"] else None
    show(target, systems, choice, document.get("retention") if flags["retention"] else None)


def refuse_contradictions(given: Collection[str]) -> None:
    """Flags that would silently be without effect beside another one are refused, all at once. given: names of the
    options that were typed."""
    problems = []
    if {"checkpoints", "checkpoint"} <= set(given):
        problems.append("--checkpoints and --checkpoint both choose: leave one out")
    if {"references", "speakers"} <= set(given):
        problems.append("--speaker and --reference both give the voice: leave one out")
    if "base" in given and "retention" not in given:
        problems.append("--base is what --retention compares with: give that too")
    for name, ignored in (("references", ("voices",)), ("speakers", ("voices",)), ("saved_samples", SPOKEN)):
        problems += [f"{flag(name)} ignores {flag(other)}" for other in ignored if name in given and other in given]
    if problems:
        raise KathrineError("; ".join(problems))


def flag(name: str) -> str:
    """An option's name as it is typed."""
    return f"--{TYPED.get(name, name).replace('_', '-')}"


def show(target: str, systems: list[Any], choice: dict[str, Any] | None, retention: list[Any] | None) -> None:
    """Tables, reasons of what was skipped, and which checkpoint to keep."""
    from rich.console import Console

    from kathrine.speech.evaluation_table import evaluation_table, forgotten_table, skipped_lines

    console = Console(highlight=False)
    own = [system for system in systems if system.kind not in ("before", "after")]
    facts = own[0].about.get("set", {})
    console.print(evaluation_table(own, f"{target}: {facts.get('sentences')} sentences of {facts.get('name')}"))
    console.print("In brackets: 95 % intervals over sentences. Numbers are of all takes unless they say of how many.")
    console.print("No number here is a measure of naturalness.")
    if retention is not None:
        console.print(forgotten_table(retention))
    for line in skipped_lines(systems):
        console.print(line, markup=False, soft_wrap=True)
    if choice is not None:
        keep = f"keep step {choice['step']}" if choice["step"] is not None else "keep none"
        console.print(f"{keep}: {choice['reason']}", markup=False, soft_wrap=True)
