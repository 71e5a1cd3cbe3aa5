"""What `kathrine speak` does: load, find the voice, say every line, write and tell what was measured."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kathrine.catalog import Catalog
from kathrine.components import Language, Progress
from kathrine.corpus.prepared import PreparedCorpus, known_folder
from kathrine.datafiles import bundled_sample
from kathrine.errors import KathrineError
from kathrine.progress import open_progress
from kathrine.recipe.tables import PrepareTable
from kathrine.speech.checks import advice
from kathrine.speech.requests import Manner, parts_of
from kathrine.speech.takes import Part, Take, Watch, make_take, write_wave
from kathrine.speech.voices import Voice, best_first, speaker_voice, voice_of, voice_of_example
from kathrine.suggest import did_you_mean, listing
from kathrine.train.loaded import Loaded, Wish, load_target
from kathrine.types import ModelFacts, Sampling
from kathrine.workspace import Workspace

SEED = 1234
TAKES = "takes.jsonl"
"""In the folder that is spoken into: a line of JSON for each take, in the order in which they were made."""


@dataclass(frozen=True, slots=True)
class Session:
    """The flags of `kathrine speak`; None where one was not given."""

    out: Path
    adapter: str
    checkpoint: str | None
    without: str | None
    lora_scale: float | None
    reference: Path | None
    reference_text: str | None
    speaker: str | None
    language: str | None
    text_layout: str | None
    greedy: bool
    temperature: float | None
    top_k: int | None
    top_p: float | None
    repetition_penalty: float | None
    sub_greedy: bool
    sub_temperature: float | None
    sub_top_k: int | None
    sub_top_p: float | None
    seed: int | None
    takes: int | None
    max_seconds: float
    device: str
    dtype: str
    offline: bool
    as_json: bool

    def wish(self) -> Wish:
        """How the target is to be loaded."""
        device = self.device if self.device != "auto" else best_device()
        precision = self.dtype if self.dtype != "auto" else ("bf16" if device == "cuda" else "fp32")
        without = tuple(part.strip() for part in (self.without or "").split(",") if part.strip())
        return Wish(self.adapter, self.checkpoint, without, self.lora_scale, device, precision, self.offline)

    def sampling(self) -> Sampling:
        """What was asked for, over the checkpoint's own settings."""
        names = ("temperature", "top_k", "top_p", "repetition_penalty", "sub_temperature", "sub_top_k", "sub_top_p")
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return dataclasses.replace(Sampling(), greedy=self.greedy, sub_greedy=self.greedy or self.sub_greedy, **given)


def best_device() -> str:
    """cuda where there is one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def say(target: str, lines: Sequence[str], session: Session) -> list[Take]:
    """Say every line and write what comes out. Returns: the takes that were flagged."""
    catalog, workspace = Catalog.load(), Workspace.default()
    with open_progress() as progress, load_target(target, session.wish(), catalog, workspace, progress) as loaded:
        for line in loaded.told:
            progress.say(line)
        manner = manner_of(loaded, session, catalog, progress)
        spoken = [(line, parts_of(line, manner)) for line in lines]  # a text that is refused is told before any work
        takes = make_takes(loaded, spoken, session, progress)
    if session.as_json:
        import click

        click.echo(json.dumps([take.document() for take in takes], ensure_ascii=False, indent=2))
    return [take for take in takes if take.flags]


def manner_of(loaded: Loaded, session: Session, catalog: Catalog, progress: Progress) -> Manner:
    """Voice, language and layout, told as they were found."""
    language, tag = language_of(loaded, session.language, catalog)
    tokenise = loaded.family.open_text(loaded.workspace)
    voice = find_voice(loaded, session, language, tokenise, progress.warn)
    rules = f"text rules of {language.name}" if language is not None else "general text rules"
    layout = text_layout(loaded.model.facts, session.text_layout)
    progress.say(f"voice: {voice.whose}; language tag: {tag or 'auto'}; {rules}; text {layout}")
    return Manner(tokenise, voice, language, tag, layout == "streamed")


def text_layout(facts: ModelFacts, wanted: str | None) -> str:
    """The text layout that was asked for, else the model's usual one. Raises: KathrineError for one that it lacks."""
    if wanted is not None and wanted not in facts.text_layouts:
        raise KathrineError(
            f"{facts.checkpoint} has no text layout '{wanted}'", f"it has {listing(facts.text_layouts)}"
        )
    return wanted or facts.text_layouts[0]


def language_of(loaded: Loaded, wanted: str | None, catalog: Catalog) -> tuple[Language | None, str | None]:
    """The language whose rules texts go through, and the tag for the prompt, or None for auto.

    Raises: KathrineError for a language that was asked for and of which the model has no tag.
    """
    own = loaded.language
    if wanted is None:
        tag = own.tag() if own is not None else ""
        return own, tag if tag and loaded.model.language_id(tag) is not None else None
    if wanted.casefold() == "auto":
        return own, None
    name = wanted.casefold()
    if own is not None and name in (own.name, own.tag()):
        rules: Language | None = own
    elif name in catalog.names("language"):
        rules = catalog.component("language", name)()  # type: ignore[assignment]
    else:
        rules = None
    if loaded.model.language_id(name) is None:
        facts = loaded.model.facts
        known = sorted({*facts.languages, *((own and [own.tag()]) or [])} - {name})
        raise KathrineError(
            f"{facts.checkpoint} has no language tag for '{wanted}'{did_you_mean(name, known)}",
            f"its languages: {listing(known)}; --language auto leaves it to the model",
        )
    return rules, name


def find_voice(
    loaded: Loaded, session: Session, language: Language | None, tokenise: Any, warn: Callable[[str], Any]
) -> Voice:
    """The voice that was asked for; without one, the run's, or a bundled sample's."""
    facts = loaded.model.facts
    if session.speaker is not None:
        return speaker_voice(facts, session.speaker)
    table = loaded.recipe.prepare if loaded.recipe is not None else PrepareTable()
    settings: dict[str, Any] = {
        "family": loaded.family,
        "workspace": loaded.workspace,
        "table": table,
        "device": loaded.device,
        "warn": warn,
    }
    if session.reference is not None:
        ids: tuple[int, ...] = ()
        if session.reference_text is not None:
            from kathrine.corpus.text import spoken_text

            said = spoken_text(session.reference_text, "text", language)
            if said.rejected:
                raise KathrineError(f"--reference-text can not be spoken: {said.rejected}")
            ids = tokenise(said.text)
        return voice_of(session.reference, transcript_ids=ids, **settings)
    if len(facts.speakers) == 1:
        return speaker_voice(facts, facts.speakers[0])
    if loaded.family.open_speaker_encoder(loaded.workspace, loaded.device) is None:
        if facts.speakers:
            raise KathrineError("whose voice?", f"--voice with one of {listing(facts.speakers)}")
        return (run_voice(loaded) if facts.clones_in_context else None) or Voice("the model's own")
    return run_voice(loaded) or voice_of(
        sample_recording(), whose="a bundled sample (--reference gives another)", **settings
    )


def run_voice(loaded: Loaded) -> Voice | None:
    """The voice of the run's first held-out utterance, where its prepared corpus is at hand."""
    folder = known_folder(loaded.recipe, loaded.workspace) if loaded.recipe is not None else None
    if folder is None:
        return None
    corpus = PreparedCorpus.open(folder)
    usable = [row for row in corpus.rows if not row.hidden]
    found = [row for row in usable if row.split == "validation"] or usable[:1]
    if not found:
        return None
    facts, recipe = loaded.model.facts, loaded.recipe
    if facts.clones_in_context and recipe is not None:
        longest = recipe.prompt.max_reference_seconds
        found = [found[place] for place in best_first([one.seconds for one in found], longest)]
    return voice_of_example(facts, corpus.example(found[0].key), f"{found[0].key} ({found[0].split})")


def sample_recording() -> Path:
    """A recording that ships with kathrine."""
    return sorted((bundled_sample("nb-librivox") / "data").glob("*.mp3"))[0]


# --------------------------------------------------------------------------- takes


def make_takes(
    loaded: Loaded, spoken: Sequence[tuple[str, list[Part]]], session: Session, progress: Progress
) -> list[Take]:
    """Every line, every take; each is written and told as soon as it is there."""
    codec = loaded.family.open_codec(loaded.workspace, loaded.device, decode_only=True)
    sampling, first = session.sampling(), next_number(session.out)
    made: list[Take] = []
    for number, (line, parts) in enumerate(spoken, start=first):
        for count in range(session.takes or 1):
            name = f"{number:02d}-{count + 1}" if (session.takes or 1) > 1 else f"{number:02d}"
            with watched(progress, name, len(parts), loaded.model.facts.frames_per_second) as watch:
                take, wave = make_take(
                    loaded.model,
                    codec,
                    parts,
                    text=line,
                    sampling=sampling,
                    max_seconds=session.max_seconds,
                    seed=(SEED if session.seed is None else session.seed) + count,
                    limits=loaded.limits,
                    watch=watch,
                )
            file = session.out / f"{name}.wav"
            write_wave(file, wave, loaded.model.facts.sample_rate)
            take = dataclasses.replace(take, file=file.name, take=count + 1)
            with (session.out / TAKES).open("a", encoding="utf-8") as log:
                log.write(json.dumps(take.document(), ensure_ascii=False) + "\n")
            tell(take, file, progress, loaded.model.facts.text_layouts)
            made.append(take)
    return made


def next_number(folder: Path) -> int:
    """One above the highest number of a take in a folder: nothing is overwritten."""
    named = (re.fullmatch(r"(\d+)(-\d+)?", path.stem) for path in folder.glob("*.wav"))
    return max((int(match[1]) for match in named if match), default=0) + 1


@contextmanager
def watched(progress: Progress, name: str, parts: int, frames_per_second: float) -> Iterator[Watch]:
    """Progress of one take: synthesis in seconds of its budget, then decoding in chunks."""
    with progress.task(f"{name}: synthesis", total=None) as advance:
        before: dict[str, float] = {}

        def watch(what: str, done: float, total: float) -> None:
            last = before.get(what, 0.0)
            step = done - last if done > last else done
            before[what] = done
            told = f"{done / frames_per_second:.1f} of at most {total / frames_per_second:.0f} s"
            if what == "decoding":
                told = f"chunk {done:.0f} of {total:.0f}"
            advance(step, description=f"{name}: {what} {told}")

        yield watch


def tell(take: Take, file: Path, progress: Progress, layouts: Sequence[str]) -> None:
    """One line for a take, and one for each flag with its likely cause and what to try. layouts: the model has."""
    progress.say(
        f"{file}: {take.seconds:.2f} s, {take.frames} frames, RMS {take.rms_db:.1f} dB, peak {take.peak_db:.1f} dB, "
        f"{take.seconds_per_letter:.3f} s a letter, stop: {take.stop}, seed {take.seed}; "
        f"synthesis {take.generate_seconds:.1f} s, decoding {take.decode_seconds:.1f} s"
    )
    for flag in take.flags:
        cause, remedy = advice(flag, layouts)
        progress.warn(f"{file.name}: {flag}: {cause}. Try: {remedy}")
