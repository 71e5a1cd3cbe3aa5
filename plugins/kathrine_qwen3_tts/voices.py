"""Speakers of a checkpoint's own: a name in `spk_id`, and a row of the codec embedding, their embedding. No torch.

Released custom_voice models keep theirs in rows 2861 to 3066, which are suppressed when codes are drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kathrine_qwen3_tts.config import has_speaker_encoder, taken_rows

FIRST, LOWEST = 3000, 2861
"""Row that a new speaker gets first; when all above are taken, those below down to the second."""


def voice_rows(
    config: Mapping[str, Any], wanted: Mapping[str, int | None], languages: Mapping[str, int]
) -> tuple[dict[str, int], list[str]]:
    """The row of every new speaker, and a sentence for everything that stands against it.

    Given: config, of the base; wanted, by name in lower case the row, None for the next free one; languages, tags that
    will be added, by name the row.
    """
    talker = config["talker_config"]
    problems = []
    if not has_speaker_encoder(dict(config)):
        problems.append(
            f"a {config['tts_model_type']} checkpoint has no speaker encoder: no voice can be made of recordings; "
            "train on a Base checkpoint"
        )
    taken = taken_rows(dict(config)) | {row: f"the language {name}" for name, row in languages.items()}
    speakers = {name.lower() for name in talker.get("spk_id") or {}}
    last, lowest = int(talker["vocab_size"]) - 1, int(talker["code_predictor_config"]["vocab_size"])
    rows: dict[str, int] = {}
    for name, row in wanted.items():
        if name in speakers:
            problems.append(f"voices: the base model brings a speaker {name!r} already: choose another name")
        if row is None:
            continue
        if not lowest <= row <= last:
            problems.append(f"rows: {name} can not have row {row}: choose a free one between {LOWEST} and {last}")
        elif row in taken:
            problems.append(f"rows: {name} can not have row {row}, it is taken by {taken[row]}")
        rows[name] = row
    free = [row for row in (*range(FIRST, last + 1), *range(min(FIRST, last + 1) - 1, LOWEST - 1, -1)) if row <= last]
    free = [row for row in free if row not in taken and row not in rows.values()]
    unplaced = [name for name, row in wanted.items() if row is None]
    rows |= dict(zip(unplaced, free, strict=False))
    if len(unplaced) > len(free):
        problems.append(f"voices: there are {len(free)} free rows for {len(unplaced)} voices")
    return rows, problems


def voice_patch(voices: Mapping[str, int], keep_base: bool) -> dict[str, Any]:
    """What is laid over config.json so that a checkpoint brings these speakers beside those that it had.

    Given: keep_base, whether it stays a `base` checkpoint with a speaker encoder; the official package only lets named
    speakers of `custom_voice` ones be used, and those have none.
    """
    if not voices:
        return {}
    patch: dict[str, Any] = {
        "talker_config": {"spk_id": dict(voices), "spk_is_dialect": dict.fromkeys(voices, False)},
    }
    return patch if keep_base else {"tts_model_type": "custom_voice", **patch}
