"""The text tokenizer and the three templates that text is wrapped in. No torch, no transformers.

Built straight from vocab.json, merges.txt and tokenizer_config.json: byte-level BPE after NFC and Qwen2's
splitting pattern. (Loaders that guess the pattern from the folder swap it for another model's in some
versions of transformers, which changes contractions and mixed-case words.)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from kathrine.errors import KathrineError
from kathrine_qwen3_tts.config import read_json

ROLE_TOKENS = 3
TARGET_TAIL = 5
REFERENCE_TAIL = 2
"""`<|im_start|>assistant\\n` is 3 tokens; after the text come 5 (target) or 2 (reference)."""

SPLIT_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Qwen2's pre-tokenizer pattern (published with its tokenizer)."""

PRINTABLE = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
OTHERS = tuple(sorted({*range(256)} - {*PRINTABLE}))
BYTE_OF = {**{chr(byte): byte for byte in PRINTABLE}, **{chr(0x100 + n): byte for n, byte in enumerate(OTHERS)}}
"""Byte-level BPE (Radford et al. 2019) spells each byte as a letter: printable ones of Latin-1 as themselves, the
others in order from U+0100 on."""

FILES = ("vocab.json", "merges.txt", "tokenizer_config.json")


def target_template(text: str) -> str:
    """The text that is to be spoken, in the official wrapping."""
    return f"<|im_start|>assistant\n{text}<|im_end|>\n<|im_start|>assistant\n"


def reference_template(text: str) -> str:
    """The transcript of an in-context reference, in the official wrapping."""
    return f"<|im_start|>assistant\n{text}<|im_end|>\n"


def instruct_template(text: str) -> str:
    """A description of how to speak, in the official wrapping."""
    return f"<|im_start|>user\n{text}<|im_end|>\n"


class TextTokenizer:
    """Text to ids.

    `encode` gives the official ids of any string, special tokens parsed. `target_ids`, `reference_ids` and
    `instruct_ids` are kathrine's own door: they strip the text (a leading newline would melt into the
    role's), and refuse text that holds the spelling of a special token.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        for name in FILES:
            if not (self.folder / name).is_file():
                raise KathrineError(
                    f"{self.folder / name} is missing",
                    "without it special tokens fall apart into ordinary ones; fetch the checkpoint again",
                )
        self._tokenizer = _build(self.folder)
        self._added = _added_tokens(self.folder)
        self.special_tokens = {token["content"]: number for number, token in self._added}
        self._bare = {template: self.encode(template("")) for template in (target_template, reference_template)}
        self.role_ids = tuple(self._bare[target_template])[:ROLE_TOKENS]
        if len(self._bare[target_template]) != ROLE_TOKENS + TARGET_TAIL:
            raise KathrineError(
                f"the tokenizer in {self.folder} does not keep the role together",
                "vocab.json, merges.txt and tokenizer_config.json must come from one Qwen3-TTS checkpoint",
            )

    def encode(self, text: str) -> list[int]:
        """Ids of a raw string as the official processor gives them; nothing is stripped or refused."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids, special tokens spelt out."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=False)

    def target_ids(self, text: str) -> list[int]:
        """Ids of the whole target template: `[:3]` is the role, `target_body` the text."""
        return self._wrap(text, target_template, TARGET_TAIL)

    def reference_ids(self, text: str) -> list[int]:
        """Ids of the whole reference template; `reference_body` is the text."""
        return self._wrap(text, reference_template, REFERENCE_TAIL)

    def instruct_ids(self, text: str) -> list[int]:
        """Ids of the whole instruct template, all of them used; an empty instruction gives none."""
        text = self._clean(text, empty_allowed=True)
        return self.encode(instruct_template(text)) if text else []

    def body(self, text: str) -> list[int]:
        """Ids of the text alone, as they stand in a prompt (the same in target and reference)."""
        return target_body(self.target_ids(text))

    def bytes_of(self, number: int) -> bytes:
        """The bytes of UTF-8 that a token stands for; those of a text's tokens joined are the text after NFC."""
        return bytes(BYTE_OF[letter] for letter in self._tokenizer.id_to_token(number))

    def _wrap(self, text: str, template: Any, tail: int) -> list[int]:
        ids, bare = self.encode(template(self._clean(text))), self._bare[template]
        if ids[:ROLE_TOKENS] != bare[:ROLE_TOKENS] or ids[-tail:] != bare[-tail:]:
            raise KathrineError(
                f"the text {text[:60]!r} melts into the template around it",
                "remove control characters at its ends",
            )
        return ids

    def _clean(self, text: str, empty_allowed: bool = False) -> str:
        text = text.strip()
        if not text and not empty_allowed:
            raise KathrineError("the text to speak is empty", "give at least one word")
        for token in self.special_tokens:
            if token in text:
                raise KathrineError(
                    f"the text {text[:60]!r} holds the special token {token!r}",
                    "remove it from the transcript",
                )
        return text

    @cached_property
    def vocabulary_size(self) -> int:
        """Number of ids that text can produce, special tokens included."""
        return self._tokenizer.get_vocab_size(with_added_tokens=True)

    def fingerprint(self) -> str:
        """Hash of all that ids depend on: part of the key under which encoded text is cached."""
        digest = hashlib.sha256()
        for part in ((self.folder / "vocab.json").read_bytes(), (self.folder / "merges.txt").read_bytes()):
            digest.update(hashlib.sha256(part).digest())
        digest.update(json.dumps(self._added, sort_keys=True).encode())
        digest.update("\0".join((SPLIT_PATTERN, target_template("{}"), reference_template("{}"))).encode())
        return digest.hexdigest()[:16]


def target_body(ids: list[int]) -> list[int]:
    """The text's ids within the ids of a target template."""
    return ids[ROLE_TOKENS:-TARGET_TAIL]


def reference_body(ids: list[int]) -> list[int]:
    """The text's ids within the ids of a reference template."""
    return ids[ROLE_TOKENS:-REFERENCE_TAIL]


def _added_tokens(folder: Path) -> list[tuple[int, dict[str, Any]]]:
    table = read_json(folder / "tokenizer_config.json").get("added_tokens_decoder")
    if not isinstance(table, dict) or not table:
        raise KathrineError(
            f"{folder / 'tokenizer_config.json'} lists no added_tokens_decoder", "fetch the checkpoint again"
        )
    return sorted((int(number), token) for number, token in table.items())


def _build(folder: Path) -> Any:
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
    from tokenizers.models import BPE

    try:
        model = BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt"))
    except Exception as error:  # the Rust side raises a bare Exception whatever is wrong with the files
        raise KathrineError(
            f"vocab.json and merges.txt in {folder} do not make a tokenizer ({error})",
            "fetch the checkpoint again",
        ) from error
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    added = _added_tokens(folder)
    flags = ("lstrip", "normalized", "rstrip", "single_word", "special")
    tokenizer.add_tokens(
        [AddedToken(token["content"], **{flag: bool(token.get(flag, False)) for flag in flags}) for _, token in added]
    )
    for number, token in added:
        if tokenizer.token_to_id(token["content"]) != number:
            raise KathrineError(
                f"{token['content']!r} has id {tokenizer.token_to_id(token['content'])} by vocab.json, "
                f"{number} by tokenizer_config.json",
                "take vocab.json, merges.txt and tokenizer_config.json from the same checkpoint",
            )
    return tokenizer
