"""The options of `[prepare]` that decide which utterances are good enough: one threshold for every gate."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kathrine.components import Options


class QualityOptions(Options):
    """Thresholds of the gates. Where 0 turns a gate off, its docstring says so."""

    min_seconds: float = Field(default=1.5, gt=0)
    """Shorter utterances are left out."""
    max_seconds: float = Field(default=15.0, gt=0)
    """Longer utterances are left out."""
    min_letters_per_second: float = Field(default=5.0, ge=0)
    """Slower speech than this is left out: the transcript most likely lacks words. With the spaces this is about
    6 characters a second."""
    max_letters_per_second: float = Field(default=21.0, gt=0)
    """Faster speech than this is left out: the transcript most likely has words that were not said. With the
    spaces this is about 25 characters a second."""
    rate_outlier_iqr: float = Field(default=1.5, ge=0)
    """Leave out utterances whose speaking rate lies further than this many interquartile ranges outside the middle
    half of their speaker's; 0 turns it off."""
    rate_outlier_utterances: int = Field(default=20, ge=4)
    """Speakers with fewer utterances than this have no rate outliers: quartiles of a few numbers say little."""
    min_bandwidth_hz: float = Field(default=7000.0, ge=0)
    """Recordings whose sound ends below this frequency are left out: s, f and kj are dull in them. 0 turns it off.
    """
    allow_narrowband: bool = False
    """Keep recordings below `min_bandwidth_hz` all the same; a source may have an option of this name for its own
    entry."""
    narrowband_hz: float = Field(default=9500.0, ge=0)
    """Warn, naming the data entry, when the median bandwidth of its recordings lies under this: recordings of
    16 kHz end at 8 kHz at best."""
    max_channels: int = Field(default=2, ge=1)
    """Recordings with more channels are left out: their mean is the mean of several places in a room."""
    min_snr_db: float = Field(default=20.0, ge=0)
    """Speech has to be this much louder than what is between (signal-to-noise by voice activity). Where nothing is
    between, an utterance passes. 0 turns the gate off, and the search for speech with it, which is most of the time
    that listening takes."""
    max_clipped_share: float = Field(default=0.001, ge=0, le=1)
    """Share of samples that may touch full scale."""
    max_clipped_run: int = Field(default=5, ge=0)
    """Samples in a row that may touch full scale; 0 leaves it to `max_clipped_share` alone."""
    max_silence_share: float = Field(default=0.4, gt=0, le=1)
    """Share of an utterance, from its first to its last sound, that may lie 40 dB under its peak."""
    max_pause_seconds: float = Field(default=1.0, ge=0)
    """Longest silence inside an utterance (40 dB under its peak: a breath ends it); 0 turns it off. Shorter ones
    stay as they are."""
    max_end_silence_seconds: float = Field(default=0.5, ge=0)
    """Longest silence at either end, 45 dB under the peak, after trimming: matters where `trim` is off. 0 turns it
    off."""
    min_loudness_lufs: float = Field(default=-45.0, le=0)
    """Quieter recordings than this, as found, are left out: raising them raises their noise as much. -70 keeps all.
    """
    max_loudness_lufs: float = Field(default=-8.0, le=0)
    """Louder recordings than this, as found, are left out: speech is only that loud after hard limiting. 0 keeps
    all."""
    min_words: int = Field(default=2, ge=1)
    """Utterances with fewer words are left out."""
    tags: Literal["strip", "reject"] = "strip"
    """What to do with `<...>` tags in a transcript; `<inaudible>` is always left out."""
    min_dnsmos: float = Field(default=0.0, ge=0, le=5)
    """Leave out recordings whose overall DNSMOS P.835 score (1 to 5; 3 is a usual limit) lies below this; 0 turns it
    off. Needs `pip install "kathrine[quality]"`."""
    asr_model: str = Field(default="", json_schema_extra={"path": "or_id"})
    """Recogniser that listens to what passed every other gate, and whose transcript is compared with the text: a
    Whisper or CTC model of the Hub, or a folder in its layout; empty turns it off."""
    asr_revision: str = "main"
    """Branch, tag or commit of `asr_model` on the Hub."""
    asr_language: str = ""
    """What a Whisper model is told that it hears, in its own names (`no`, `nn`); empty lets it guess."""
    asr_batch: int = Field(default=8, ge=1)
    """Utterances recognised at once."""
    max_cer: float = Field(default=0.1, ge=0)
    """Largest share of letters that recognised and given text may differ by, where `asr_model` is set. 0.1 suits
    books read aloud; 0.2 suits dialects, as in NPSC."""
