"""`kathrine speak`: say texts with a run, a checkpoint, an adapter or a model, and measure what comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kathrine.errors import KathrineError

IGNORED_BY_GREEDY = ("temperature", "top_k", "top_p", "sub_temperature", "sub_top_k", "sub_top_p", "seed", "takes")
IGNORED_BY_SUB_GREEDY = ("sub_temperature", "sub_top_k", "sub_top_p")
positive = click.FloatRange(min=0, min_open=True)


@click.command("speak")
@click.argument("target")
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option("--file", "files", multiple=True, type=click.Path(path_type=Path), help="Texts, one a line.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("spoken"), show_default=True, help="Folder.")
@click.option("--adapter", default="", metavar="FOLDER", help="Put this adapter onto the model; a folder or hub:ID.")
@click.option("--checkpoint", metavar="WHICH", help="Of a run: best, last, or a step. [default: best]")
@click.option("--without", metavar="PARTS", help="Leave parts out: lora,text_projection,language_tag.")
@click.option("--lora-scale", type=click.FloatRange(min=0), help="Factor on the effect of LoRAs.")
@click.option("--reference", type=click.Path(path_type=Path), help="Recording that gives the voice, 3 to 15 s.")
@click.option("--reference-text", help="What is said in it: the recording itself then stands in the prompt.")
@click.option("--voice", "--speaker", "speaker", metavar="NAME", help="One of the model's own voices.")
@click.option("--language", help="Language tag and text rules; `auto` for no tag. Default: the run's.")
@click.option("--text-layout", type=click.Choice(["streamed", "whole"]), help="[default: streamed where there is it]")
@click.option("--greedy", is_flag=True, help="Always the most likely code, in talker and sub-talker.")
@click.option("--temperature", type=positive, help="Of the talker. [default: 0.9]")
@click.option("--top-k", type=click.IntRange(min=0), help="Codes to draw from; 0: all. [default: 50]")
@click.option("--top-p", type=click.FloatRange(0, 1, min_open=True), help="Mass of codes to draw from. [default: 1]")
@click.option("--repetition-penalty", type=positive, help="On codes that were there before. [default: 1.05]")
@click.option("--sub-greedy", is_flag=True, help="Always the most likely code, in the sub-talker alone.")
@click.option("--sub-temperature", type=positive, help="Of the sub-talker. [default: 0.9]")
@click.option("--sub-top-k", type=click.IntRange(min=0), help="Of the sub-talker. [default: 50]")
@click.option("--sub-top-p", type=click.FloatRange(0, 1, min_open=True), help="Of the sub-talker. [default: 1]")
@click.option("--seed", type=click.IntRange(min=0), help="Of the first take; the next ones count up. [default: 1234]")
@click.option("--takes", type=click.IntRange(min=1), help="Takes of each text. [default: 1]")
@click.option("--max-seconds", type=positive, default=30.0, show_default=True, help="Hard limit of one sentence.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--dtype", type=click.Choice(["auto", "fp32", "bf16"]), default="auto", help="auto: bf16 on CUDA.")
@click.option("--offline", is_flag=True, help="Fetch nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what was measured as JSON.")
def command(target: str, texts: tuple[str, ...], files: tuple[Path, ...], **flags: Any) -> int:
    """Say TEXTs with TARGET and measure every take.

    TARGET: a run, a checkpoint's folder (RUN/checkpoints/STEP), an adapter, a model, or
    hub:OWNER/NAME[@REVISION][/FOLDER]. Takes are written to --out as WAV, with a line and JSON of what was measured;
    a take that runs away is cut, flagged and told. Exit code 1 when a take was flagged.
    """
    refuse_contradictions(flags)
    lines = [*texts, *lines_of(files)]
    if not lines:
        raise KathrineError("there is nothing to say", 'give a text, "Hei på deg!", or --file lines.txt')
    from kathrine.train.speaking import Session, say

    return 1 if say(target, lines, Session(**flags)) else 0


def refuse_contradictions(flags: dict[str, Any]) -> None:
    """Flags that would silently be without effect beside another one are refused, all at once."""
    problems = []
    for greedy, ignored in (("greedy", IGNORED_BY_GREEDY), ("sub_greedy", IGNORED_BY_SUB_GREEDY)):
        problems += [
            f"{flag(greedy)} ignores {flag(name)}" for name in ignored if flags[greedy] and flags[name] is not None
        ]
    if flags["greedy"] and flags["sub_greedy"]:
        problems.append("--greedy is greedy in the sub-talker too: leave --sub-greedy out")
    if flags["speaker"] and flags["reference"]:
        problems.append("--voice (or --speaker) and --reference both give the voice: leave one out")
    if flags["reference_text"] is not None and not flags["reference"]:
        problems.append("--reference-text says what is said in --reference: give that too")
    if flags["reference_text"] is not None and not flags["reference_text"].strip():
        problems.append("--reference-text is empty: leave it out to take the voice alone")
    if flags["without"] is not None and not flags["without"].strip(" ,"):
        problems.append("--without names nothing to leave out")
    if flags["out"].is_file():
        problems.append(f"--out {flags['out']} is a file: name a folder")
    if problems:
        raise KathrineError("; ".join(problems))


def flag(name: str) -> str:
    """An option's name as it is typed."""
    return f"--{name.replace('_', '-')}"


def lines_of(files: tuple[Path, ...]) -> list[str]:
    """The lines of text files that hold something. Raises: KathrineError for a file that can not be read."""
    found: list[str] = []
    for path in files:
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise KathrineError(f"{path} can not be read: {error}", "give a text file in UTF-8") from error
        found += [line.strip() for line in text.splitlines() if line.strip()]
    return found
