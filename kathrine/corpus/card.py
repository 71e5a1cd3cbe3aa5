"""The dataset card of a prepared corpus: what stands in its README.md, made of its facts alone."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

LANGUAGES = {
    "norwegian": "no",
    "danish": "da",
    "swedish": "sv",
    "english": "en",
    "german": "de",
    "french": "fr",
    "spanish": "es",
    "italian": "it",
    "portuguese": "pt",
    "russian": "ru",
    "chinese": "zh",
    "japanese": "ja",
    "korean": "ko",
}
"""Languages as language tags name them -> ISO 639-1, which is all that the Hub takes."""
LICENCES = (
    *("cc0-1.0", "cc-by-2.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-3.0"),
    *("cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-4.0", "apache-2.0", "mit", "odc-by", "odbl"),
    *("pddl", "unlicense"),
)
"""Licences that the Hub knows by these names; every other one is `other` there."""
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10**12, "n>1M"))
UNKNOWN = "not stated"


def licences_of(facts: dict[str, Any]) -> list[str]:
    """The licences of all entries, by the names of the Hub; `unknown` for an entry that states none."""
    found = set()
    for entry in facts["entries"].values():
        for licence in entry["licence"] or ["unknown"]:
            plain = licence.strip().lower().replace(" ", "-")
            found.add(plain if plain in (*LICENCES, "unknown") else "other")
    return sorted(found)


def front_matter(facts: dict[str, Any], files: Collection[str]) -> str:
    """The YAML at the top: what the Hub lists and what `datasets.load_dataset` opens. files: which splits have any."""
    entries = facts["entries"]
    languages = sorted({code for entry in entries.values() for name in entry["languages"] if (code := iso_code(name))})
    count = sum(entry["kept"] for entry in entries.values())
    lines = ["---", f"pretty_name: {quoted('Prepared speech: ' + ', '.join(entries))}"]
    lines += ["license:", *(f"- {name}" for name in licences_of(facts))]
    if languages:
        lines += ["language:", *(f"- {quoted(name)}" for name in languages)]
    lines += ["task_categories:", "- text-to-speech", "tags:", "- kathrine", "- speech-codes", "size_categories:"]
    lines += [f"- {next(name for limit, name in SIZES if count < limit)}", "configs:", "- config_name: default"]
    lines += ["  data_files:"]
    for split in ("train", "validation", "test"):
        if split in files:
            lines += [f"  - split: {split}", f"    path: {split}-*.parquet"]
    if "reference" in files:
        lines += ["- config_name: reference", "  data_files:", "  - split: reference", "    path: reference-*.parquet"]
    return "\n".join([*lines, "---"])


def iso_code(language: str) -> str:
    """ISO 639 code of a language, by the name of its tag or its own code; empty where it is neither."""
    if language in LANGUAGES:
        return LANGUAGES[language]
    return language if re.fullmatch(r"[a-z]{2,3}", language) else ""


def quoted(text: str) -> str:
    """A string in YAML: `no` without quotes is false there."""
    return json.dumps(text, ensure_ascii=False)


def dataset_card(facts: dict[str, Any], fingerprint: str, files: Collection[str], place: str = "OWNER/NAME") -> str:
    """The whole README.md. place: its id on the Hub, or a stand-in."""
    entries = facts["entries"]
    hours = sum(entry["hours"] for entry in entries.values())
    count = sum(entry["kept"] for entry in entries.values())
    prints = facts["fingerprints"]
    rows = [
        f"| {name} | {entry['source']} | {entry['kept']} | {entry['hours']:.2f} | {entry['speakers']} | "
        f"{', '.join(entry['licence']) or UNKNOWN} |"
        for name, entry in entries.items()
    ]
    return "\n".join(
        [
            front_matter(facts, files),
            "",
            f"# Prepared speech: {', '.join(entries)}",
            "",
            f"{count} utterances, {hours:.2f} hours, prepared by kathrine: "
            "conditioned, checked and encoded into the codes of a speech codec. It holds no audio, but speech can be "
            "decoded from the codes, so the licences of the recordings hold for it as well.",
            "",
            "| data | source | utterances | hours | speakers | licence |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            "Voices belong to people: the licence of a recording is not a licence to imitate whoever speaks.",
            "",
            "## What it was made with",
            "",
            "| | |",
            "|---|---|",
            f"| model family | {facts['model']['family']} |",
            f"| codec | `{prints['codec']}` |",
            f"| speaker encoder | `{prints['speaker'] or 'none'}` |",
            f"| text tokenizer | `{prints['text']}` |",
            f"| text rules | `{facts['text_rules']}` |",
            f"| conditioning | `{facts['conditioning']}` |",
            f"| frames | {facts['frames_per_second']:g} per second, {facts['model']['codebooks']} codes each |",
            f"| fingerprint | `{fingerprint}` |",
            "",
            "## How to use it",
            "",
            "In a recipe, without encoding anything again (the model has to have the same codec):",
            "",
            "```toml",
            "[[data]]",
            'source = "prepared"',
            f'root = "{place}"',
            "```",
            "",
            "As an ordinary dataset:",
            "",
            "```python",
            "from datasets import load_dataset",
            "",
            f'rows = load_dataset("{place}", split="train")',
            f'codes = rows[0]["codes"]  # frames x {facts["model"]["codebooks"]}, one flat list',
            "```",
            "",
            "| column | holds |",
            "|---|---|",
            "| entry, id | which utterance it is: unique together |",
            "| speaker, language, split | as in the source |",
            "| text | the words that are spoken, normalised |",
            "| seconds, frames | length of the conditioned recording |",
            "| codes | frame by frame |",
            "| embedding | of the speaker, from this recording alone |",
            "| variants, spoken, text_ids | every form of the text, and its token ids |",
            "| cut | whether the recording stops in the middle of speech |",
            "| facts | what the source told besides, as JSON |",
            "",
        ]
    )
