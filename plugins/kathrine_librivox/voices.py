"""Who speaks in recordings of LibriVox, for cards."""

VOICES = (
    "volunteers of LibriVox, known by the name that they read under; they gave their readings to the public domain, "
    "which is no consent to be imitated"
)
