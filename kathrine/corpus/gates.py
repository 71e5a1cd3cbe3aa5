"""Quality gates: small pure functions that name the reason why an utterance is left out.

A reason is the name under which it is counted in the table of `kathrine prepare`; empty means that it passes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from kathrine.corpus.text import INAUDIBLE, TAG, letters, words

if TYPE_CHECKING:
    from kathrine.corpus.audio import Sound
    from kathrine.recipe.tables import PrepareTable

EXPLANATIONS = {
    "other speaker": "not among `speakers`",
    "inaudible": "the transcript says <inaudible>",
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
    "silence": "more silence than max_silence_share",
    "clipping": "more samples at full scale than max_clipped_share",
    "too slow": "under min_letters_per_second: the transcript most likely lacks words",
    "too fast": "over max_letters_per_second: the transcript most likely has words that were not said",
    "bad reference": "the reference recording can not be used",
    "no reference": "the only utterance of its speaker",
    "speaker floor": "a speaker with less than speaker_floor_minutes",
    "speaker cap": "beyond speaker_cap_minutes",
    "max_hours": "beyond max_hours",
}
"""Every reason, in the order in which the gates are passed."""


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


def sound_gate(sound: Sound, table: PrepareTable) -> str:
    """Silence and clipping."""
    if sound.silence > table.max_silence_share:
        return "silence"
    return "clipping" if sound.clipped > table.max_clipped_share else ""


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
        or sound_gate(sound, table)
        or rate_gate(spoken_letters, sound.seconds, table)
    )


def count_reasons(reasons: Iterable[str]) -> dict[str, int]:
    """Counts by reason, in the order of the gates; passed utterances are not among them."""
    counts = Counter(reason for reason in reasons if reason)
    order = list(EXPLANATIONS)
    return dict(sorted(counts.items(), key=lambda item: (order.index(item[0]), item[0])))
