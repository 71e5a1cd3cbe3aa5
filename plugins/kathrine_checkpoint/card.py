"""The model card: what of a run is kept for it (`card.json`), and writing it, now or again later.

Everything that the card tells stands in `card.json` or in the run folder, so that it can be written anew without the
model: after an evaluation, or for the place where the export is published.

README.md   the card                    curves.svg   its picture
card.json   what it is made of          samples/     test sentences, as they can be heard on it
recipe.toml the resolved recipe
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from kathrine.components import FinishedRun
from kathrine.corpus.files import read_json, write_atomically, write_json, write_text
from kathrine.datafiles import HUB_ID
from kathrine.report.card_parts import curves_svg, spoken_at
from kathrine.report.reading import RunRead, Spoken, read_run, sound_of
from kathrine_checkpoint.card_text import STAND_IN_BASE, card_text
from kathrine_checkpoint.files import without_paths, without_secrets
from kathrine_checkpoint.renewing import may_replace, renew_hashes
from kathrine_checkpoint.selfcheck import Findings

CARD, FACTS, CURVES, SAMPLES = "README.md", "card.json", "curves.svg", "samples"
FORMAT = 1
SAMPLE = re.compile(r"\d\d\.wav")
PLACE, TEXT = "__PLACE__", "__TEXT__"
"""Stand for expressions in code that is kept until the place of the export is known."""


def recipe_text(document: Mapping[str, Any]) -> str:
    """The resolved recipe as TOML, without this machine's paths and the run folder's name."""
    from kathrine.recipe.tomlwriter import toml_text

    shown = without_secrets(without_paths(document))
    if isinstance(shown.get("run"), dict):
        shown["run"].pop("folder", None)
    return toml_text(shown)


def card_facts(
    run: FinishedRun,
    folder: Path,
    metadata: Mapping[str, Any],
    *,
    findings: Findings,
    consent: str,
    samples: int,
    speakers: Sequence[Mapping[str, Any]] = (),
    clones: bool = True,
) -> dict[str, Any]:
    """What a card says that no file of the run folder tells, without paths of this machine and without secrets.

    Given: folder, the export, with its weight files; speakers, voices that it brings, with their `name`, `source` and
    number of `recordings`; clones, whether it takes voices from recordings too: other packages then let none be used by
    name.
    """
    rows = {name: row for strategy in run.strategies for name, row in strategy.languages().items()}
    parts = adapter_parts(folder)
    language = next(iter(rows), "")
    base = without_paths(run.model.facts.checkpoint)
    if parts:
        elsewhere = base if HUB_ID.fullmatch(base) else STAND_IN_BASE
        code = (
            run.family.adapter_elsewhere(f'"{elsewhere}"', PLACE, TEXT, parts, rows) if len(parts["lora"]) < 2 else ""
        )
    else:
        named = "" if clones or not speakers else str(speakers[0]["name"])
        code = run.family.code_elsewhere(PLACE, TEXT, language, named)
    trained = [
        {
            "strategy": claim.strategy,
            "trained tensors": len(claim.trains) + len(claim.adds),
            "numbers": sum(run.trainable[key].numel() for key in (*claim.trains, *(spec.name for spec in claim.adds))),
            "learning rate": claim.lr,
        }
        for claim in run.claims
    ]
    facts = {
        "format": FORMAT,
        "name": run.plan.name,
        "metadata": dict(metadata),
        "base": {"checkpoint": base, "revision": run.model.facts.revision},
        "language": run.language or language,
        "tags": rows,
        "parts": {name: list(inside) for name, inside in parts.items()},
        "speakers": list(speakers),
        "spoken": [take for take in findings.spoken if take["voice"]],
        "clones": clones,
        "step": run.step,
        "weights": run.weights_from,
        "trained": trained,
        "data": list(run.data),
        "voices": {name: said for name, source in run.plan.sources.items() if (said := source.voices())},
        "consent": consent,
        "samples": samples,
        "checks": dict(findings.checks),
        "elsewhere": {"library": run.family.library, "code": code},
    }
    return without_secrets(without_paths(facts))


def adapter_parts(folder: Path) -> dict[str, tuple[str, ...]]:
    """What lies in an adapter's folder: part -> its files' folders; nothing for a complete checkpoint."""
    lora = [".", *(f"adapters/{path.name}" for path in sorted(folder.glob("adapters/*")))]
    found = {
        "lora": tuple(place for place in lora if (folder / place / "adapter_config.json").is_file()),
        "text_projection": ("text_projection.bin",),
        "trained": ("trained.safetensors",),
        "language_tag": ("language_tag.safetensors",),
    }
    there = {name: files if name == "lora" or (folder / files[0]).is_file() else () for name, files in found.items()}
    return {name: files for name, files in there.items() if files or name == "lora"} if any(there.values()) else {}


def write_card(
    folder: Path, facts: Mapping[str, Any], run_folder: Path, recipe: Mapping[str, Any] | None, location: str = ""
) -> None:
    """Write card, picture, samples and `card.json` into an export that is being made.

    Given: facts, as of `card_facts`; recipe, the resolved document, for recipe.toml; location, as for `refresh_card` of
    an exporter.
    """
    if recipe:
        write_text(folder / "recipe.toml", recipe_text(recipe))
    write_json(folder / FACTS, facts)
    run = _measured(run_folder)
    text = _render(folder, facts, run, location, write=True)
    write_text(folder / CARD, text)


def refresh(
    folder: Path, run_folder: Path, location: str, changed: Mapping[str, Any], warn: Callable[[str], None]
) -> bool:
    """Write the card of a finished export again; see `Exporter.refresh_card`. changed: facts that are others now."""
    facts = read_facts(folder)
    if facts is None:
        return False
    facts |= {**changed, "metadata": {**facts["metadata"], **changed.get("metadata", {})}}
    run = _measured(run_folder)
    text = _render(folder, facts, run, location, write=False)
    if not may_replace(folder, CARD, text, warn):
        return False
    _render(folder, facts, run, location, write=True)
    write_json(folder / FACTS, facts)
    write_text(folder / CARD, text)
    renew_hashes(folder, lambda name: name in (CARD, CURVES, FACTS) or _is_sample(name))
    return True


def read_facts(folder: Path) -> dict[str, Any] | None:
    """What `card.json` says; None where there is none.

    Raises: KathrineError where it can not be read, or is of a newer format."""
    path = folder / FACTS
    return read_json(path, FORMAT, "export the run again") if path.is_file() else None


def told_nobody(line: str) -> None:
    """For whoever does not want to hear of what stays as it is."""


def _measured(run_folder: Path) -> RunRead | None:
    """What the run folder holds; None where it is none, as in a program of one's own."""
    return read_run(run_folder) if (run_folder / "recipe.toml").is_file() else None


def _is_sample(name: str) -> bool:
    path = Path(name)
    return path.parent.as_posix() == SAMPLES and SAMPLE.fullmatch(path.name) is not None


def _render(folder: Path, facts: Mapping[str, Any], run: RunRead | None, location: str, *, write: bool) -> str:
    """The card's text; with `write` also its picture and its sounds."""
    picture = curves_svg(run) if run is not None else ""
    spoken = spoken_at(run, facts["step"]) if run is not None else None
    there = [take for take in spoken.takes if sound_of(spoken, take).is_file()] if spoken is not None else []
    heard = there[: facts["samples"]]
    names = {number: f"{SAMPLES}/{number:02d}.wav" for number in range(1, len(heard) + 1)}
    own = [(take["file"], take) for take in facts["spoken"] if facts["samples"] and (folder / take["file"]).is_file()]
    recipe = folder / "recipe.toml"
    if write:
        _write_sounds(folder, spoken, heard)
        if picture:
            write_text(folder / CURVES, picture)
        else:
            (folder / CURVES).unlink(missing_ok=True)
    return card_text(
        facts,
        run,
        location,
        picture=CURVES if picture else "",
        sounds=[*own, *((names[number], take) for number, take in enumerate(heard, start=1))],
        recipe=recipe.read_text(encoding="utf-8") if recipe.is_file() else "",
        code=(PLACE, TEXT),
    )


def _write_sounds(folder: Path, spoken: Spoken | None, heard: Sequence[Mapping[str, Any]]) -> None:
    """The takes as `samples/NN.wav`; those of an earlier card go, other files there stay."""
    for path in (folder / SAMPLES).glob("*.wav"):
        if SAMPLE.fullmatch(path.name) and int(path.stem) > len(heard):
            path.unlink()
    if spoken is None or not heard:
        return
    (folder / SAMPLES).mkdir(exist_ok=True)
    for number, take in enumerate(heard, start=1):
        write_atomically(folder / SAMPLES / f"{number:02d}.wav", partial(_copy, sound_of(spoken, take)))


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
