"""Text ids against the official package: exact, also for the texts that trap a wrong tokenizer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from transformers import Qwen2Tokenizer

from kathrine.errors import KathrineError
from kathrine_qwen3_tts.text import (
    TextTokenizer,
    instruct_template,
    reference_body,
    reference_template,
    target_body,
    target_template,
)

GOLD = Path(__file__).parent.parent / "data" / "gold"
CHECKPOINTS = ("tiny-0b6", "tiny-1b7")


def cases_of(name: str):
    return json.loads((GOLD / f"{name}.gold" / "cases.json").read_text(encoding="utf-8"))


def copy_tokenizer(folder: Path) -> Path:
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        shutil.copyfile(GOLD / "tiny-0b6" / name, folder / name)
    return folder


def edit(path: Path, change) -> None:
    table = json.loads(path.read_text(encoding="utf-8"))
    change(table)
    path.write_text(json.dumps(table), encoding="utf-8")


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_all_texts_and_traps_give_the_official_ids(name):
    cases, tokenizer = cases_of(name), TextTokenizer(GOLD / name)
    texts = cases["text"] + cases["text_traps"]
    assert len(texts) == 24
    for case in texts:
        assert tokenizer.encode(target_template(case["text"])) == case["target_ids"], case["text"]
        assert tokenizer.encode(reference_template(case["text"])) == case["ref_ids"], case["text"]
        assert tokenizer.encode(instruct_template(case["text"])) == case["instruct_ids"], case["text"]


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_the_own_door_gives_the_same_ids_for_plain_texts(name):
    cases, tokenizer = cases_of(name), TextTokenizer(GOLD / name)
    assert len(cases["text"]) == 21
    for case in cases["text"]:
        assert tokenizer.target_ids(case["text"]) == case["target_ids"]
        assert tokenizer.reference_ids(case["text"]) == case["ref_ids"]
        assert tokenizer.instruct_ids(case["text"]) == case["instruct_ids"]
        body = tokenizer.body(case["text"])
        assert body == target_body(case["target_ids"]) == reference_body(case["ref_ids"])
        assert tuple(case["target_ids"][:3]) == tokenizer.role_ids


def test_ids_equal_the_stock_qwen2_tokenizer_on_running_text():
    stock = Qwen2Tokenizer.from_pretrained(GOLD / "tiny-0b6")
    own = TextTokenizer(GOLD / "tiny-0b6")
    for text in (
        "Blåbærsyltetøy på ØYA, i 2024!",
        "I'm an iPhone  user\n\nBlåTann",
        "e\u0301 a\u030a 😀",
        "  x ",
    ):
        assert own.encode(target_template(text)) == stock.encode(target_template(text))


def test_space_around_the_text_is_stripped():
    tokenizer = TextTokenizer(GOLD / "tiny-0b6")
    assert tokenizer.target_ids("\n Hei \n") == tokenizer.target_ids("Hei")
    assert tokenizer.body("\u00a0Hei") == tokenizer.body("Hei")


@pytest.mark.parametrize("text", ["<|im_start|> skrevet", "slutt <|im_end|>", "a<think>b", "x<tts_pad>"])
def test_special_tokens_in_the_text_are_refused(text):
    tokenizer = TextTokenizer(GOLD / "tiny-0b6")
    for method in (tokenizer.target_ids, tokenizer.reference_ids, tokenizer.instruct_ids, tokenizer.body):
        with pytest.raises(KathrineError, match="holds the special token"):
            method(text)


def test_empty_text_is_refused_and_an_empty_instruction_gives_no_ids():
    tokenizer = TextTokenizer(GOLD / "tiny-0b6")
    with pytest.raises(KathrineError, match="empty"):
        tokenizer.target_ids(" \n")
    assert tokenizer.instruct_ids(" ") == []


@pytest.mark.parametrize("missing", ["vocab.json", "merges.txt", "tokenizer_config.json"])
def test_every_file_is_required(tmp_path, missing):
    (copy_tokenizer(tmp_path) / missing).unlink()
    with pytest.raises(KathrineError, match=missing):
        TextTokenizer(tmp_path)


def test_files_of_different_checkpoints_are_refused(tmp_path):
    path = copy_tokenizer(tmp_path) / "tokenizer_config.json"
    edit(path, lambda table: table["added_tokens_decoder"].pop("596"))
    with pytest.raises(KathrineError, match=r"has id 596 by vocab.json, 597 by tokenizer_config.json"):
        TextTokenizer(tmp_path)
    edit(path, lambda table: table.update(added_tokens_decoder={}))
    with pytest.raises(KathrineError, match="lists no added_tokens_decoder"):
        TextTokenizer(tmp_path)


def test_a_damaged_vocabulary_is_refused(tmp_path):
    (copy_tokenizer(tmp_path) / "vocab.json").write_text("[]", encoding="utf-8")
    with pytest.raises(KathrineError, match="do not make a tokenizer"):
        TextTokenizer(tmp_path)


def test_the_fingerprint_follows_every_file(tmp_path):
    first = TextTokenizer(copy_tokenizer(tmp_path)).fingerprint()
    assert first == TextTokenizer(GOLD / "tiny-1b7").fingerprint()
    merges = tmp_path / "merges.txt"
    merges.write_text("\n".join(merges.read_text(encoding="utf-8").splitlines()[:-1]) + "\n", encoding="utf-8")
    second = TextTokenizer(tmp_path).fingerprint()
    edit(tmp_path / "tokenizer_config.json", lambda t: t["added_tokens_decoder"]["610"].update(special=True))
    assert len({first, second, TextTokenizer(tmp_path).fingerprint()}) == 3
