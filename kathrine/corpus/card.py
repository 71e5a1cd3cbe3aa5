"""The dataset card of a prepared corpus: what stands in its README.md, made of its facts alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from kathrine.cards import front_matter, plain, table

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
    entries = facts["entries"].values()
    return sorted({hub_licence(licence) for entry in entries for licence in entry["licence"] or ["unknown"]})


def known_metadata(entries: Collection[str], licences: Collection[str], languages: Collection[str]) -> dict[str, Any]:
    """What the front matter says whatever the data turn out to be.

    Given: entries, names of the data entries; licences and languages, as the Hub names them; empty where nobody knows.
    """
    fields = {
        "pretty_name": f"Prepared speech: {', '.join(entries)}",
        "license": sorted(licences),
        "language": list(languages),
        "task_categories": ["text-to-speech"],
        "tags": ["kathrine", "speech-codes"],
    }
    return {name: value for name, value in fields.items() if value}


def metadata(facts: dict[str, Any], files: Collection[str], codes: Collection[str] = ()) -> dict[str, Any]:
    """The front matter: what the Hub lists and what `datasets.load_dataset` opens.

    Given: files, which splits have any; codes, of the languages where the utterances' own names are not enough.
    """
    entries = facts["entries"]
    named = sorted({code for entry in entries.values() for name in entry["languages"] if (code := iso_code(name))})
    count = sum(entry["kept"] for entry in entries.values())
    splits = [
        {"split": split, "path": f"{split}-*.parquet"} for split in ("train", "validation", "test") if split in files
    ]
    configs: list[dict[str, Any]] = [{"config_name": "default", "data_files": splits}]
    if "reference" in files:
        reference = [{"split": "reference", "path": "reference-*.parquet"}]
        configs.append({"config_name": "reference", "data_files": reference})
    return {
        **known_metadata(entries, licences_of(facts), codes or named),
        "size_categories": [next(name for limit, name in SIZES if count < limit)],
        "configs": configs,
    }


def consent_lines(entries: Mapping[str, Any], voices: Mapping[str, str], consent: str) -> list[str]:
    """Whose voices these are, entry by entry; nothing where nobody said anything about any."""
    if not voices and not consent:
        return []
    rows = [
        [
            plain(name),
            str(entry["speakers"]),
            plain(voices.get(name, UNKNOWN)),
            plain(", ".join(entry["licence"])) or UNKNOWN,
        ]
        for name, entry in entries.items()
    ]
    told = [consent.strip(), ""] if consent else []
    head = ["data", "speakers", "who speaks, and what they agreed to", "licence"]
    return ["## Voices and consent", "", *told, table(head, rows, {1}), ""]


def iso_code(language: str) -> str:
    """ISO 639 code of a language, by the name of its tag or its own code; empty where it is neither."""
    if language in LANGUAGES:
        return LANGUAGES[language]
    return language if re.fullmatch(r"[a-z]{2,3}", language) else ""


def hub_licence(licence: str) -> str:
    """A licence by the Hub's name for it; `other` for one that it does not know."""
    plain_name = licence.strip().lower().replace(" ", "-")
    return plain_name if plain_name in (*LICENCES, "unknown") else "other"


def dataset_card(
    facts: dict[str, Any],
    fingerprint: str,
    files: Collection[str],
    place: str = "OWNER/NAME",
    codes: Collection[str] = (),
    voices: Mapping[str, str] | None = None,
    consent: str = "",
) -> str:
    """The whole README.md.

    Given: files and codes, as for `metadata`; place, its id on the Hub, or a stand-in; voices, by data entry who speaks
    and what they agreed to; consent, what whoever publishes it says of that.
    """
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
            front_matter(metadata(facts, files, codes)),
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
            *consent_lines(entries, voices or {}, consent),
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
