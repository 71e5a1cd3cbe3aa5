"""What a model's card says to somebody who has never heard of the run. Pure functions to Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kathrine.cards import Place, file_address, front_matter, place_of, plain, python_text, section, table
from kathrine.corpus.page_parts import hours
from kathrine.datafiles import HUB_ID
from kathrine.report.card_parts import (
    count,
    data_table,
    drift_table,
    evaluation_tables,
    flags_sentence,
    limits,
    losses_table,
    spoken_at,
    versions_table,
)
from kathrine.report.reading import RunRead
from kathrine_checkpoint.voices import CORPUS

STAND_IN = "path/to/this/folder"
"""Where nobody knows yet where the export will lie."""
STAND_IN_BASE = "path/to/its/base/model"
"""Of an adapter whose base is no model of the Hub: nobody can be told where it lies."""
CONSENT = (
    "A licence of recordings is no consent to be imitated. Clone a voice only with the consent of whoever it belongs "
    "to, and say of synthetic speech that it is synthetic."
)
LOSSES = (
    "The talker gives the first code of a frame, other rows the codes below it. Text gain is how much worse "
    "the talker would do with the text of another sentence: more is better, and where it is near 0 the model does not "
    "listen to its text."
)
NAMES = {"lora": "LoRA", "text_projection": "text projection", "trained": "weights trained in place"}
NAMES["language_tag"] = "language tag"


def card_text(
    facts: Mapping[str, Any],
    run: RunRead | None,
    location: str,
    *,
    picture: str,
    sounds: Sequence[tuple[str, Mapping[str, Any]]],
    recipe: str,
    code: tuple[str, str],
) -> str:
    """The whole card.

    Given: facts, as `card.json` has them; run, what its folder holds, None where there is none; location, the address
    that links begin with, empty for relative ones; picture, name of the file with curves; sounds, file and take of the
    sentences that can be heard; recipe, its TOML; code, what stands for place and text in the code of other packages.
    """
    said = str(sounds[0][1]["text"]) if sounds else "..."
    step = facts["step"]
    parts = [
        front_matter(facts["metadata"]),
        f"# {plain(facts['name'])}",
        summary(facts),
        section("Samples", samples_table(sounds, location), *flagged(facts, run)),
        section("Use", *usage(facts, place_of(location), said, code)),
        section("What was trained", trained_table(facts["trained"])),
        section("Data", data_table(facts["data"])),
        section("Curves", f"![curves of the run]({file_address(location, picture)})" if picture else ""),
        section("Evaluation", *evaluation(run, step)),
        section("Limits", "\n".join(f"- {line}" for line in limits(run, step, facts["data"]))),
        section("Voices and consent", *voices(facts)),
        section("How far the parts have moved", drift_table(run.drift, step) if run else ""),
        section("Checks after writing", *checks(facts["checks"])),
        section("Recipe", *recipe_parts(recipe)),
        section("Versions", versions_table(run.versions) if run else ""),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def summary(facts: Mapping[str, Any]) -> str:
    """What this is, in one paragraph."""
    base = str(facts["metadata"].get("base_model", facts["base"]["checkpoint"]))
    known = HUB_ID.fullmatch(base) and base == facts["base"]["checkpoint"]
    named = f"[{plain(base)}](https://huggingface.co/{base})" if known else plain(base)
    language = plain(facts["language"].replace("_", " ").title()) or "new speech"
    parts = [NAMES[name] for name, files in facts["parts"].items() if files]
    told = [entry["hours"] for entry in facts["data"] if isinstance(entry.get("hours"), int | float)]
    on = f" on {hours(3600 * sum(told))} of speech" if sum(told) else ""
    if parts:
        first = f"An adapter for {named}, which teaches it {language}: {_and(parts)}, trained{on} with kathrine."
    else:
        first = f"{named}, adapted to {language}: trained{on} with kathrine, complete, in the layout of its base model."
    speakers = _and([f"`{one['name']}`" for one in facts["speakers"]])
    more = f" It brings the voice{'s' if len(facts['speakers']) > 1 else ''} {speakers}." if speakers else ""
    return f"{first}{more} These are the {plain(facts['weights'])}."


def _and(names: Sequence[str], word: str = "and") -> str:
    return f" {word} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _or(names: Sequence[str]) -> str:
    return _and(names, "or")


def samples_table(sounds: Sequence[tuple[str, Mapping[str, Any]]], location: str) -> str:
    """Sentences that these weights said, with players."""
    rows = [
        [
            plain(take["text"]),
            f'<audio controls preload="none" src="{file_address(location, name)}"></audio>',
            plain(", ".join(take.get("flags") or ())) or "none",
            f"`{take['voice']}`" if take.get("voice") else "a recording's",
        ]
        for name, take in sounds
    ]
    head = ["sentence", "sound", "flags", "voice"]
    named = any(take.get("voice") for _, take in sounds)
    return table(head, rows) if named else table(head[:3], [row[:3] for row in rows])


def flagged(facts: Mapping[str, Any], run: RunRead | None) -> Iterator[str]:
    """How much of what was said has something wrong with it, in the run's voice and in those of the export."""
    yield flags_sentence(spoken_at(run, facts["step"]) if run else None)
    wrong = [f"`{take['voice']}`" for take in facts["spoken"] if take["flags"]]
    if facts["spoken"]:
        yield f"Of its own voices they flagged {_and(wrong) if wrong else 'none'}."


# --------------------------------------------------------------------------- use


def usage(facts: Mapping[str, Any], place: Place | None, said: str, code: tuple[str, str]) -> Iterator[str]:
    """How it is used in kathrine, and in the package that the base model comes with."""
    where = place.spoken() if place is not None else STAND_IN
    if facts["parts"] and facts["base"]["revision"] == "local":
        base = plain(Path(facts["base"]["checkpoint"]).name)
        yield f"It was trained on a model of its own, `{base}`, which has to be at hand: put its folder in its place."
        where = f"{STAND_IN_BASE} --adapter {where}"
    shell = said.replace("'", "'\\''")
    names = [str(one["name"]) for one in facts["speakers"]]
    voice = f"--voice {names[0]}" if names else "--reference voice.wav"
    tag = next(iter(facts["tags"]), "")
    # an adapter brings its recipe along, and with it the language
    language = f" --language {tag}" if tag and not facts["parts"] else ""
    yield "In kathrine" + ("" if names else ", in the voice of a recording of 3 to 15 seconds") + ":"
    yield f"```sh\nkathrine speak {where} '{shell}' {voice}{language}\n```"
    if names:
        others = "; `--reference voice.wav` takes that of a recording instead" if facts["clones"] else ""
        yield f"`--voice` takes {_or([f'`{name}`' for name in names])}{others}."
        if not facts["clones"]:
            yield "It has no speaker encoder: it takes no other voices from recordings."
    if tag:
        yield f"Its language tag is `{tag}`."
    if "text_projection" in facts["parts"]:
        yield (
            "The text projection was trained as well: without `text_projection.bin` the accent of the base model "
            "stays. kathrine loads all parts together, and refuses an adapter that lacks one."
        )
    library, lines = facts["elsewhere"]["library"], facts["elsewhere"]["code"]
    if lines:
        if names and facts["clones"]:
            yield f"`{library}` does not let its named voices be used: it speaks in that of a recording."
        yield f"In the package `{library}`, which the base model comes with:"
        yield f"```python\n{elsewhere_code(lines, place, said, bool(facts['parts']), code)}\n```"
    elif len(facts["parts"].get("lora", ())) > 1:
        yield "It has several LoRAs: for other packages, export the run as a merged checkpoint."


def elsewhere_code(lines: str, place: Place | None, said: str, adapter: bool, code: tuple[str, str]) -> str:
    """Code of another package with the place of the export and a text put in."""
    fetched = place is not None and bool(adapter or place.revision or place.folder)
    if place is None:
        expression = python_text(STAND_IN)
    else:
        expression = place.expression() if fetched else python_text(place.repo)
    found = lines.replace(code[0], expression).replace(code[1], python_text(said))
    return f"from huggingface_hub import snapshot_download\n{found}" if fetched else found


# --------------------------------------------------------------------------- what was done and measured


def trained_table(rows: Sequence[Mapping[str, Any]]) -> str:
    head = ["strategy", "trained tensors", "numbers", "learning rate"]
    cells = [
        [plain(row["strategy"]), count(row["trained tensors"]), count(row["numbers"]), f"{row['learning rate']:g}"]
        for row in rows
    ]
    return table(head, cells, {1, 2, 3})


def evaluation(run: RunRead | None, step: int) -> Iterator[str]:
    """Scores where there are any, and held-out losses before and after."""
    if run is None:
        return
    scores = evaluation_tables(run.evaluation, step)
    if scores:
        yield "In brackets: 95 % intervals over sentences, as `kathrine evaluate` measured them."
        yield scores
    losses = losses_table(run, step)
    if losses:
        these = "with these weights" if run.validation_at(step) else "at the last validation before these weights"
        yield f"Losses on held-out speech, before training and {these}: less is better. {LOSSES}"
        yield losses


def voices(facts: Mapping[str, Any]) -> Iterator[str]:
    """Whose voices were learnt from, and what may be done with them."""
    if facts["consent"]:
        yield str(facts["consent"]).strip()
    known = facts["voices"]
    lines = [
        f"- {plain(entry['name'])}: {plain(known.get(entry['name'], 'its source does not say who speaks'))}."
        for entry in facts["data"]
        if entry.get("name")
    ]
    lines += map(named_voice, facts["speakers"])
    if lines:
        yield "\n".join(lines)
    if facts["speakers"]:
        asked = "" if facts["consent"] else " Nothing is said here of whether they agreed: ask whoever published this."
        yield f"Named voices belong to people: use none of them to imitate somebody who has not agreed.{asked}"
    yield CONSENT


def named_voice(speaker: Mapping[str, Any]) -> str:
    """Where a voice of the export comes from."""
    count = speaker["recordings"]
    source = str(speaker["source"])
    if source.startswith(CORPUS):
        whose = f"the speaker {plain(source.removeprefix(CORPUS).partition('/')[2])} of the data "
        whose += plain(source.removeprefix(CORPUS).partition("/")[0])
    else:
        whose = f"whoever speaks in {plain(source)}"
    return f"- the voice `{speaker['name']}`: {whose}, from {count} recording{'' if count == 1 else 's'}."


def checks(found: Mapping[str, Any]) -> Iterator[str]:
    """What the self-check measured."""
    if found:
        yield "The files were loaded again and compared with the model that was trained, on the same held-out speech:"
        yield checks_table(found)


def checks_table(checks: Mapping[str, Any]) -> str:
    rows = [[plain(name), f"{value:g}" if isinstance(value, float) else plain(value)] for name, value in checks.items()]
    return table(["check", "measured"], rows, {1})


def recipe_parts(recipe: str) -> Iterator[str]:
    if recipe:
        yield "`recipe.toml` beside this card describes the run (paths are cut to their last name):"
        yield f"<details><summary>recipe.toml</summary>\n\n```toml\n{recipe.strip()}\n```\n\n</details>"
