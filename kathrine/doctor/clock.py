"""The clock, against the Hub's or, without one, against what a wrong clock can not explain."""

from __future__ import annotations

import tempfile
import time
from email.utils import parsedate_to_datetime
from pathlib import Path

import kathrine
from kathrine.doctor.files import standing
from kathrine.doctor.findings import Finding, green, red, yellow

NOTICED, BROKEN = 60.0, 3600.0
"""Seconds of skew that somebody should know of, and that certificates and tokens do not bear."""
REMEDY = "set the clock (timedatectl set-ntp true); a container has its host's"


def check_clock(hub_date: str, workspace: Path, now: float | None = None) -> Finding:
    """Given: hub_date, the `Date` header of an answer, or an empty string; now, seconds since 1970, None looks."""
    now = time.time() if now is None else now
    if hub_date:
        return judged(now - parsedate_to_datetime(hub_date).timestamp(), "the Hub")
    installed = Path(kathrine.__file__).stat().st_mtime
    if now < installed - NOTICED:
        return red("clock", f"{stamp(now)}: before kathrine was installed ({stamp(installed)})", REMEDY)
    try:
        with tempfile.NamedTemporaryFile(prefix=".kathrine-doctor-", dir=standing(workspace)) as file:
            written = Path(file.name).stat().st_mtime
    except OSError as error:
        return yellow("clock", f"not compared: {error.strerror or error}", "make the workspace writable")
    return judged(now - written, "the workspace's file system")


def judged(skew: float, other: str) -> Finding:
    """Given: skew, seconds that this clock is ahead of the other."""
    if abs(skew) < NOTICED:
        return green("clock", f"{stamp(time.time())}, within a minute of {other}")
    told = f"{abs(skew):,.0f} s {'ahead of' if skew > 0 else 'behind'} {other}"
    if abs(skew) < BROKEN:
        return yellow("clock", told, REMEDY)
    return red("clock", f"{told}: certificates will look expired, downloads and uploads fail", REMEDY)


def stamp(seconds: float) -> str:
    """Time for people, UTC."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
