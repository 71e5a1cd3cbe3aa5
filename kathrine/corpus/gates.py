"""Quality gates: small pure functions that name the reason why an utterance is left out.

A reason is the name under which it is counted in the table of `kathrine prepare`; empty means that it passes.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from statistics import quantiles
from typing import TYPE_CHECKING

from kathrine.corpus.text import INAUDIBLE, TAG, letters, words

if TYPE_CHECKING:
    from kathrine.corpus.sound import Sound
    from kathrine.recipe.recipe import DataEntry
    from kathrine.recipe.tables import PrepareTable

QUIETEST_KEPT = -70.0
"""LUFS. `min_loudness_lufs` at or below this keeps everything: ITU-R BS.1770 does not measure below it."""
EXPLANATIONS = {
    "other speaker": "not among `speakers`",
    "inaudible": "the transcript says <inaudible>",
    "control characters": "the transcript has characters that no text has: its file is damaged",
    "tags": "the transcript has <...> tags",
    "no text": "nothing is left of the transcript",
    "text refused": "the language's rules refuse the transcript",
    "few words": "fewer words than min_words",
    "missing file": "the recording does not exist",
    "corrupt": "the recording can not be read, or is not whole",
    "crashed the decoder": "reading the recording ended the process, twice",
    "length differs": "the recording's length is not the one that the corpus says",
    "duplicate": "the same recording as another utterance of the entry",
    "no audio": "neither a recording nor a reference to take the voice from",
    "bad codes": "codes of the wrong shape or out of range",
    "too short": "under min_seconds",
    "too long": "over max_seconds",
    "channels": "more channels than max_channels",
    "silence": "more silence inside than max_silence_share",
    "long pause": "a silence inside that is longer than max_pause_seconds",
    "silent ends": "a silence at an end that is longer than max_end_silence_seconds",
    "clipping": "more samples at full scale than max_clipped_share, or than max_clipped_run in a row",
    "too quiet": "as found, under min_loudness_lufs",
    "too loud": "as found, over max_loudness_lufs",
    "narrow band": "no sound above min_bandwidth_hz: dull s, f and kj",
    "noisy": "speech less than min_snr_db over what is between",
    "too slow": "under min_letters_per_second: the transcript most likely lacks words",
    "too fast": "over max_letters_per_second: the transcript most likely has words that were not said",
    "low DNSMOS": "a quality score under min_dnsmos",
    "ASR differs": "a recogniser heard something else than the transcript: over max_cer",
    "rate outlier": "much slower or faster than its speaker's other utterances, see rate_outlier_iqr",
    "bad reference": "the reference recording can not be used",
    "no reference": "the only utterance of its speaker",
    "speaker floor": "a speaker with less than speaker_floor_minutes",
    "speaker cap": "beyond speaker_cap_minutes",
    "max_hours": "beyond max_hours",
}
"""Every reason, in the order in which the gates are passed."""


def characters_gate(texts: Mapping[str, str]) -> str:
    """What is wrong with the characters of a transcript, in any of its forms; empty where nothing is.

    No text has control characters (tabs and line breaks are spaces), halves of surrogate pairs, private characters,
    or the sign that stands for what could not be decoded: they come from damaged files and wrong encodings."""
    for written in texts.values():
        for place, character in enumerate(written):
            if character in "\t\n\r\v\f\x85":
                continue
            if unicodedata.category(character) in ("Cc", "Cs", "Co") or character in "\ufffd\ufffe\uffff":
                return f"U+{ord(character):04X} at {place + 1}"
    return ""


def tags_gate(written: str, table: PrepareTable) -> str:
    """Tags in the transcript as written."""
    if INAUDIBLE.search(written):
        return "inaudible"
    return "tags" if table.tags == "reject" and TAG.search(written) else ""


def text_gate(spoken: str, table: PrepareTable) -> str:
    """Enough to say."""
    if not letters(spoken):
        return "no text"
    return "few words" if words(spoken) < table.min_words else ""


def duration_gate(seconds: float, table: PrepareTable) -> str:
    """Neither too short nor too long, after conditioning."""
    if seconds < table.min_seconds:
        return "too short"
    return "too long" if seconds > table.max_seconds else ""


def silence_gate(sound: Sound, table: PrepareTable) -> str:
    """Silence inside and at the ends of the conditioned wave. What passes keeps every pause that it has."""
    if sound.inner_silence > table.max_silence_share:
        return "silence"
    if table.max_pause_seconds and sound.longest_pause > table.max_pause_seconds + 1e-9:
        return "long pause"
    limit = table.max_end_silence_seconds
    return "silent ends" if limit and sound.edge_silence > limit + 1e-9 else ""


def level_gate(sound: Sound, table: PrepareTable) -> str:
    """Clipping and loudness, as found."""
    run = table.max_clipped_run
    if sound.clipped > table.max_clipped_share or (run and sound.clipped_run > run):
        return "clipping"
    if sound.loudness_lufs < table.min_loudness_lufs and table.min_loudness_lufs > QUIETEST_KEPT:
        return "too quiet"
    return "too loud" if table.max_loudness_lufs and sound.loudness_lufs > table.max_loudness_lufs else ""


def bandwidth_gate(sound: Sound, table: PrepareTable) -> str:
    """Sound up to `min_bandwidth_hz`. Recordings too short to tell pass."""
    if table.allow_narrowband or not sound.bandwidth_hz:
        return ""
    return "narrow band" if sound.bandwidth_hz < table.min_bandwidth_hz else ""


def noise_gate(sound: Sound, table: PrepareTable) -> str:
    """Signal-to-noise by voice activity. Where nothing is between the speech it is not known, and passes."""
    return "noisy" if sound.snr_db is not None and sound.snr_db < table.min_snr_db else ""


def sound_gates(sound: Sound, table: PrepareTable) -> str:
    """All gates of the sound alone, in order."""
    return (
        ("channels" if sound.channels > table.max_channels else "")
        or silence_gate(sound, table)
        or level_gate(sound, table)
        or bandwidth_gate(sound, table)
        or noise_gate(sound, table)
    )


def rate_gate(spoken_letters: int, seconds: float, table: PrepareTable) -> str:
    """Letters and digits of the spoken text per second of conditioned audio."""
    rate = spoken_letters / seconds
    if rate < table.min_letters_per_second:
        return "too slow"
    return "too fast" if rate > table.max_letters_per_second else ""


def audio_gates(sound: Sound, spoken_letters: int, table: PrepareTable) -> str:
    """All gates that need the recording, in order; the first reason counts."""
    return (
        duration_gate(sound.seconds, table)
        or sound_gates(sound, table)
        or rate_gate(spoken_letters, sound.seconds, table)
    )


def rate_outliers(rates: Iterable[tuple[str, float]], table: PrepareTable) -> set[int]:
    """Positions of utterances whose speaking rate is far from that of their speaker's others.

    Given: speaker and letters per second of each. Far (J. W. Tukey's fences): more than `rate_outlier_iqr`
    interquartile ranges below the first or above the third quartile of a speaker with `rate_outlier_utterances` or
    more. A speaker whose quartiles are equal has none."""
    by_speaker: dict[str, list[tuple[int, float]]] = {}
    for place, (speaker, rate) in enumerate(rates):
        by_speaker.setdefault(speaker, []).append((place, rate))
    found: set[int] = set()
    for said in by_speaker.values():
        if not table.rate_outlier_iqr or len(said) < table.rate_outlier_utterances:
            continue
        low, _, high = quantiles([rate for _, rate in said], n=4, method="inclusive")
        reach = table.rate_outlier_iqr * (high - low)
        found |= {place for place, rate in said if reach and not low - reach <= rate <= high + reach}
    return found


def gates_of(entry: DataEntry, table: PrepareTable) -> PrepareTable:
    """The thresholds for one data entry: a source whose own option `allow_narrowband` is set is taken as it is."""
    allowed = table.allow_narrowband or bool(getattr(entry.source.options, "allow_narrowband", False))
    return table.model_copy(update={"allow_narrowband": allowed})


def count_reasons(reasons: Iterable[str]) -> dict[str, int]:
    """Counts by reason, in the order of the gates; passed utterances are not among them."""
    counts = Counter(reason for reason in reasons if reason)
    order = list(EXPLANATIONS)
    return dict(sorted(counts.items(), key=lambda item: (order.index(item[0]), item[0])))
