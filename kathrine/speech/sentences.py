"""Long texts cut into sentences, so that each one has a budget of its own and no model loses its place."""

from __future__ import annotations

import re

LONGEST = 220
"""Letters that are spoken in one go: about 15 seconds, which is what models are trained on."""
END = re.compile(r"(?<=[.!?…])[\"'”»)\]]*\s+(?=[\"'“«(\[]?[^\W\d_a-zæøåäöü])")
PAUSE = re.compile(r"(?<=[,;:–—])\s+")
SPACE = re.compile(r"\s+")


def sentences(text: str, longest: int = LONGEST) -> list[str]:
    """A text as pieces of at most `longest` characters, cut at ends of sentences.

    Short sentences stay together. One that is too long is cut at a comma, semicolon or dash, and only where it has
    none between two words. Nothing is lost: the pieces joined by spaces are the text.
    """
    joined: list[str] = []
    whole = False  # whether the last piece is made of whole sentences: the rest of a cut one stays by itself
    for sentence in _split(END, text):
        parts = _fitting(sentence, longest)
        if whole and len(parts) == 1 and len(joined[-1]) + 1 + len(sentence) <= longest:
            joined[-1] = f"{joined[-1]} {sentence}"
        else:
            joined += parts
        whole = len(parts) == 1
    return joined


def _split(where: re.Pattern[str], text: str) -> list[str]:
    """Parts between the spaces that a pattern ends in; closing quotes stay with what they close."""
    parts, begin = [], 0
    for match in where.finditer(text):
        parts.append(text[begin : match.end()].strip())
        begin = match.end()
    parts.append(text[begin:].strip())
    return [" ".join(part.split()) for part in parts if part]


def _fitting(piece: str, longest: int) -> list[str]:
    if len(piece) <= longest:
        return [piece]
    for where in (PAUSE, SPACE):
        parts = _split(where, piece)
        if len(parts) > 1:
            fitting = [part for one in parts for part in _fitting(one, longest)]
            return _packed(fitting, longest)
    return [piece]


def _packed(parts: list[str], longest: int) -> list[str]:
    packed = [parts[0]]
    for part in parts[1:]:
        if len(packed[-1]) + 1 + len(part) <= longest:
            packed[-1] += f" {part}"
        else:
            packed.append(part)
    return packed
