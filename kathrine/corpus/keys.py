"""The keys of everything that prepare keeps: equal exactly when the results are.

sound, codes and speaker keys begin with the recording (content of its file, part of it) and the conditioning;
the codes key adds the codec, the speaker key the speaker encoder. The text key is the written text, the
language's rules and the tokenizer, so new text rules never encode audio again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kathrine.corpus.text import rules_key

if TYPE_CHECKING:
    from kathrine.recipe.recipe import Recipe

MEASURES = 2
"""Raise it when what `kathrine.corpus.sound` measures changes: part of the key of measurements, and of no other."""


def digest(*parts: Any) -> str:
    """SHA-256 (hex) of the parts, which must be of types that JSON knows."""
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 (hex) of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stat_key(path: Path) -> str:
    """What tells that a file is still the one whose content was read: path, size, time of change."""
    stat = path.stat()
    return digest("file", str(path), stat.st_size, stat.st_mtime_ns)


def audio_key(content: str, start: float | None, end: float | None, conditioning: str) -> str:
    """A conditioned wave. `content`: digest of the whole file."""
    return digest("audio", content, start, end, conditioning)


def sound_key(audio: str, seconds: float | None, noise: bool = True) -> str:
    """What was measured of it. `seconds`: the length that it is supposed to have; `noise`: whether its
    signal-to-noise ratio was."""
    return digest("sound", MEASURES, audio, seconds, noise)


def score_key(audio: str, model: str) -> str:
    """What a model made of a conditioned wave: a score, or a transcript."""
    return digest("score", audio, model)


def codes_key(audio: str, codec: str) -> str:
    """Codes of a conditioned wave."""
    return digest("codes", audio, codec)


def imported_key(codes: tuple[tuple[int, ...], ...] | Any, codec: str) -> str:
    """Codes that came with the manifest."""
    return digest("imported", codes, codec)


def speaker_key(audio: str, speaker_encoder: str) -> str:
    """Speaker embedding of a conditioned wave."""
    return digest("speaker", audio, speaker_encoder)


def imported_voice_key(embedding: tuple[float, ...], speaker_encoder: str) -> str:
    """A speaker embedding that came with the row."""
    return digest("imported voice", embedding, speaker_encoder)


def text_key(written: str, variant: str, rules: str, tokenizer: str, cut: bool) -> str:
    """Spoken text and token ids. `cut`: for a clip that ends mid-speech (no added full stop)."""
    return digest("text", written, variant, rules, tokenizer, cut)


def recipe_key(recipe: Recipe) -> str:
    """What of a recipe decides which corpus is prepared; devices, batch sizes and workers do not."""
    without = {"batch", "batch_seconds", "asr_batch", "device", "workers"}
    prepare = recipe.prepare.model_dump(mode="json", exclude=without)
    data = [
        [
            entry.name,
            entry.table.model_dump(mode="json", exclude={"share"}),
            entry.source.name,
            entry.source.options.model_dump(mode="json"),
        ]
        for entry in recipe.data
    ]
    model = [recipe.model.name, recipe.model.options.model_dump(mode="json")]
    return digest("recipe", data, prepare, model, rules_key(recipe.language), recipe.run.seed)[:24]
