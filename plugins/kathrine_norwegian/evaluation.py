"""The fixed sentences that `kathrine evaluate` measures Norwegian on: files of lines `clip|text`, written for kathrine.

A hundred of everyday speech, news, talk, names, numbers written out, loan words and nature; twenty hard ones (kj, tj
and skj, retroflexes, æøå, long compounds, one word, more than 200 letters); forty in nynorsk. The clip is empty: each
is spoken in the voices that the evaluation asks for.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

FILES = {"nb": ("evaluation_nb.txt", "evaluation_nb_hard.txt"), "nn": ("evaluation_nn.txt",)}


@cache
def evaluation_sentences(variant: str) -> tuple[str, ...]:
    """All sentences of bokmål (`nb`) or nynorsk (`nn`), in the order of their files."""
    folder = files("kathrine_norwegian") / "data"
    lines = [line for name in FILES[variant] for line in (folder / name).read_text(encoding="utf-8").splitlines()]
    return tuple(line.partition("|")[2] for line in lines)
