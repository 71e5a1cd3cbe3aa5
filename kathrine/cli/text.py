"""`kathrine text LANGUAGE TEXT`: how a language speaks a written text, and which rules made it so."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from typing import Any

import click

from kathrine.components import Language, SpokenText
from kathrine.errors import KathrineError
from kathrine.suggest import did_you_mean


@click.command(name="text", context_settings={"ignore_unknown_options": True})  # a text may begin with -5
@click.argument("language")
@click.argument("texts", metavar="[TEXT]...", nargs=-1)
@click.option("--variant", metavar="NAME", help="Written form of the language: nb or nn for Norwegian.")
@click.option("--as", "text_variant", default="text", metavar="NAME", help="Text variant, such as normsentence_text.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Set an option of the language.")
@click.option("--explain", is_flag=True, help="Print every rule that changed something, before and after.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a text.")
def command(
    language: str,
    texts: tuple[str, ...],
    variant: str | None,
    text_variant: str,
    sets: tuple[str, ...],
    explain: bool,
    as_json: bool,
) -> int:
    """Print the words that LANGUAGE says for each TEXT, or for each line of standard input.

    The same rules make training texts, test sentences and what is evaluated. A rejected text is said on standard
    error with its reason, and the exit code is 1.
    """
    speaker = _language(language, variant, sets)
    _check_texts(texts)
    _warn_of_variant(speaker, text_variant)
    rejected = 0
    for written in texts or (line.rstrip("\n") for line in sys.stdin):
        answer = speaker.normalise(written, text_variant)
        rejected += bool(answer.rejected)
        if as_json:
            click.echo(json.dumps(_facts(written, answer), ensure_ascii=False))
            continue
        if explain:
            _explain(written, answer)
        if answer.rejected:
            click.echo(f"rejected: {answer.rejected}", err=True)
        else:
            click.echo(answer.text)
    return 1 if rejected else 0


def _language(name: str, variant: str | None, sets: Sequence[str]) -> Language:
    """The language with its options; every problem of the options at once."""
    from kathrine.catalog import Catalog
    from kathrine.recipe.layers import set_value
    from kathrine.recipe.messages import validated

    component = Catalog.load().component("language", name)
    options: dict[str, Any] = {}
    problems = []
    for text in sets:
        key, equals, value = text.partition("=")
        if not equals or not key:
            problems.append(f"--set {text}: expected KEY=VALUE")
        else:
            options[key] = set_value(value)
    if variant is not None:
        if "variant" not in component.Options.model_fields:
            problems.append(f"--variant: {name} has no variants")
        else:
            options["variant"] = variant
    made, found = validated(component.Options, options)
    # a problem without a path is of an option that does not exist: its message names it
    problems += [f"{'.'.join(map(str, path)) or '--set'}: {message}" for path, message in found]
    if problems:
        hint = f"`kathrine plugins show {name}` prints its options"
        raise KathrineError(f"language {name}: {'; '.join(problems)}", hint)
    speaker = component(made)
    assert isinstance(speaker, Language)
    for problem in speaker.problems():
        raise KathrineError(f"language {name}: {problem}")
    return speaker


def _warn_of_variant(speaker: Language, name: str) -> None:
    """Say on standard error that a text variant changes nothing, where the language lists those that do.

    A corpus may name its variants as it likes, so that an unknown one is no mistake for sure.
    """
    listed = getattr(speaker.options, "digit_variants", None)
    if listed is None or name == "text" or name in listed:
        return
    known = ", ".join(["text", *listed])
    guess = did_you_mean(name, ["text", *listed])
    click.echo(f"--as {name}: {speaker.name} treats it like text{guess}; it knows {known}", err=True)


def _check_texts(texts: Sequence[str]) -> None:
    """A misspelt option is not a text; nothing to read is not a pipe."""
    for text in texts:
        if re.match(r"--[a-z]", text):
            raise KathrineError(f"there is no option {text.split('=')[0]}", "see `kathrine text --help`")
    if not texts and sys.stdin.isatty():
        raise KathrineError("no text is given", 'write one behind the language: kathrine text norwegian "kl. 14.30"')


def _facts(written: str, answer: SpokenText) -> dict[str, Any]:
    steps = [{"rule": step.rule, "before": step.before, "after": step.after} for step in answer.steps]
    return {
        "written": written,
        "text": answer.text,
        "rejected": answer.rejected,
        "rules": list(answer.rules),
        "steps": steps,
    }


def _explain(written: str, answer: SpokenText) -> None:
    """A table with a row a step; a language that keeps no steps gets one row for all its rules."""
    from rich.console import Console
    from rich.table import Table

    rows = [(step.rule, step.before, step.after) for step in answer.steps]
    if not rows and answer.rules:
        rows = [(", ".join(answer.rules), written, answer.text)]
    if not rows:
        click.echo("no rule changed anything")
        return
    table = Table("rule", "before", "after")
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, markup=False).print(table)
