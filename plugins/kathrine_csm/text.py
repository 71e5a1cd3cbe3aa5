"""The text tokenizer, and the number of the speaker that every text begins with. No torch, no transformers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from kathrine.errors import KathrineError

FILE = "tokenizer.json"

SPEAKER = "[0]"
"""The speaker of every text here. In CSM numbers tell the voices of one conversation apart; they name nobody."""


def _byte_of() -> dict[str, int]:
    """Byte by letter of byte-level BPE: what is printable in Latin-1 stands for itself, the rest, in their order, for
    letters from 256 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}


BYTE_OF = _byte_of()


class TextTokenizer:
    """Text to ids. begin, end: the special tokens around every text, as the tokenizer itself puts them."""

    def __init__(self, folder: Path | str) -> None:
        from tokenizers import Tokenizer

        self.path = Path(folder) / FILE
        if not self.path.is_file():
            raise KathrineError(f"{self.path} is missing", "fetch the checkpoint again")
        try:
            self._tokenizer: Any = Tokenizer.from_file(str(self.path))
        except Exception as error:  # the Rust side raises a bare Exception whatever is wrong with the file
            raise KathrineError(f"{self.path} makes no tokenizer ({error})", "fetch the checkpoint again") from error
        around = self._tokenizer.encode("", add_special_tokens=True).ids
        if len(around) != 2:
            raise KathrineError(
                f"{self.path} does not put a begin and an end around a text", "take the tokenizer of the checkpoint"
            )
        self.begin, self.end = around
        added = json.loads(self.path.read_text(encoding="utf-8")).get("added_tokens") or []
        self.special_tokens = {token["content"]: int(token["id"]) for token in added}

    def encode(self, text: str) -> list[int]:
        """Ids of a raw string as the official processor gives them: special tokens parsed, none added."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def body(self, text: str) -> list[int]:
        """Ids between begin and end: the speaker's number, which may melt into the first letters, and the text.

        Raises: KathrineError for an empty text and for one that holds the spelling of a special token.
        """
        text = text.strip()
        if not text:
            raise KathrineError("the text to speak is empty", "give at least one word")
        for token in self.special_tokens:
            if token in text:
                raise KathrineError(
                    f"the text {text[:60]!r} holds the special token {token!r}", "remove it from the transcript"
                )
        return self.encode(SPEAKER + text)

    def tokens(self, text: str) -> tuple[tuple[int, bytes], ...]:
        """The tokens of a text: id, and the bytes of it that the token stands for. The speaker's number in front is no
        part of the text: a token of nothing else is left out, one that melted with the first letters keeps those."""
        found, skipped = [], len(SPEAKER.encode())
        for number in self.body(text):
            own = bytes(BYTE_OF[letter] for letter in self._tokenizer.id_to_token(number))
            if len(own) > skipped:
                found.append((number, own[skipped:]))
            skipped = max(0, skipped - len(own))
        return tuple(found)

    def fingerprint(self) -> str:
        """Hash of all that ids depend on: part of the key under which encoded text is cached."""
        digest = hashlib.sha256(self.path.read_bytes())
        digest.update(SPEAKER.encode())
        return digest.hexdigest()[:16]
