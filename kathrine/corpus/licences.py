"""Which recordings may be given away in another form, by what their licence is called."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

UNSTATED = ("", "unknown", "see card", "not stated", "other")
"""What stands for a licence that nobody names."""
FORBIDS = re.compile(r"(^|-)nd(-|$)|no-?deriv|all-rights-reserved|proprietary|confidential|no-redist|not-for-redist")
"""What names of licences hold that do not let others have what was made of the recordings: `nd` is "no derivatives" of
Creative Commons, and codes are derived."""


def forbids(licence: str) -> bool:
    """Whether what was made of recordings under this licence may not be given away, as far as its name tells."""
    return FORBIDS.search(re.sub(r"[\s_]+", "-", licence.strip().lower())) is not None


def licence_problems(entry: str, licences: Collection[str], allow_unknown: bool) -> Iterator[str]:
    """Sentences about why a data entry should not be published. licences: that its utterances state, or its source."""
    stated = [one for one in licences if one.strip().lower() not in UNSTATED]
    if len(stated) < max(1, len(licences)) and not allow_unknown:
        yield (
            f"the licence of the data entry '{entry}' is not known: name it where its source has an option for that "
            '(`licence`), leave the entry out, or set licence_unknown = "allow" if you know that it may be given away'
        )
    for licence in stated:
        if forbids(licence):
            yield f"the licence of the data entry '{entry}', {licence}, does not let you give away what is made of it"
