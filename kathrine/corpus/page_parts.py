"""Pieces of the corpus page: lengths of time, tables, an utterance with its sound, licences. Pure functions to HTML."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kathrine.corpus.excerpts import Excerpt

LICENCES = {
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC-BY-SA-4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "CC-BY-NC-4.0": "https://creativecommons.org/licenses/by-nc/4.0/",
}
ADDRESS = re.compile(r"https?://[\w./~%-]+")


def visible(text: str) -> str:
    """A text of unknown origin with a sign in place of every character that can not be seen: ␇ for a control
    character, � for others; spaces of every kind become plain ones."""

    def sign(letter: str) -> str:
        if letter.isprintable() or letter.isspace():
            return " " if letter.isspace() else letter
        if unicodedata.category(letter) == "Cf":
            return ""
        return chr(0x2400 + ord(letter)) if ord(letter) < 0x20 else "\ufffd"

    return "".join(map(sign, text))


def escape(text: str) -> str:
    """A text of unknown origin as HTML."""
    return html.escape(visible(text))


def hours(seconds: float) -> str:
    """`12.34 h`, or minutes and seconds below an hour."""
    if seconds >= 3600:
        return f"{seconds / 3600:.2f} h"
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{seconds:.1f} s"


def share(part: float, whole: float) -> str:
    """A share in per cent, - of nothing."""
    return f"{part / whole:.0%}" if whole else "-"


def table_html(head: list[str], rows: list[list[str]], numbers: set[int]) -> str:
    """A table of cells that are HTML already. numbers: columns set to the right."""

    def cells(row: list[str], tag: str) -> str:
        return "".join(
            f'<{tag} class="number">{cell}</{tag}>' if place in numbers else f"<{tag}>{cell}</{tag}>"
            for place, cell in enumerate(row)
        )

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{cells(head, "th")}</tr></thead><tbody>{body}</tbody></table></div>'


def measured(told: Mapping[str, Any]) -> list[str]:
    """What was measured of an utterance, in words; nothing where it was not listened to."""
    if "bandwidth_hz" not in told:
        return []
    made = [f"{told['bandwidth_hz'] / 1000:.1f} kHz", f"{told['loudness_lufs']:.0f} LUFS"]
    made += [f"SNR {told['snr_db']:.0f} dB"] if "snr_db" in told else []
    made += [f"longest pause {max(told['pauses']):.2f} s"] if told["pauses"] else []
    made += [f"DNSMOS {told['dnsmos']:.2f}"] if "dnsmos" in told else []
    return [*made, *([f"CER {told['cer']:.2f}"] if "cer" in told else [])]


def utterance(told: Mapping[str, Any], excerpt: Excerpt | None, picture: str = "") -> str:
    """A list item: who and what, a picture, the sound or why there is none, the text, the detail of its verdict."""
    text = told["texts"].get("text", "")
    detail = f'<p class="detail">{escape(told["detail"])}</p>' if told.get("detail") else ""
    seconds = told.get("conditioned_seconds")
    facts = [escape(f"{told['entry']}/{told['id']}"), escape(told["speaker"])]
    facts += [f"{seconds:.1f} s"] if seconds else []
    facts += measured(told)
    if excerpt is None or not excerpt.uri:
        why = excerpt.problem if excerpt is not None else "not read"
        sound = f'<p class="detail">not playable: {escape(why)}</p>'
    else:
        sound = f'<audio controls preload="metadata" src="{excerpt.uri}"></audio>'
    said = f"<blockquote>{escape(_short(text))}</blockquote>" if text else ""
    return f'<li><p class="hint">{" · ".join(facts)}</p>{picture}{sound}{said}{detail}</li>'


def _short(text: str, most: int = 240) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def licence_html(licence: str) -> str:
    """A licence's name, a link where its address is known."""
    address = licence if ADDRESS.fullmatch(licence) else LICENCES.get(licence.upper(), "")
    return f'<a href="{escape(address)}">{escape(licence)}</a>' if address else escape(licence)
