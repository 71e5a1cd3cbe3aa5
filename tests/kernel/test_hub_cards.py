"""Cards of the Hub: which fields must be there, where a folder lies, and Markdown that takes any text."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from huggingface_hub import ModelCard

from kathrine.cards import (
    NEEDED,
    Place,
    advisable_fields,
    file_address,
    front_matter,
    missing_fields,
    place_of,
    plain,
    python_text,
    section,
    table,
)
from kathrine.errors import KathrineError

WHOLE: dict[str, Any] = {
    "license": "cc-by-4.0",
    "language": ["no", "nb"],
    "base_model": "Qwen/Qwen3-TTS-12Hz-0.6B-Base",
    "pipeline_tag": "text-to-speech",
    "library_name": "peft",
    "datasets": ["NbAiLab/NPSC"],
    "tags": ["kathrine"],
}


def test_a_whole_card_lacks_nothing() -> None:
    assert missing_fields(WHOLE) == advisable_fields(WHOLE) == []


@pytest.mark.parametrize("empty", [None, "", "  ", [], [""]])
@pytest.mark.parametrize("name", sorted(NEEDED["model"]))
def test_every_field_that_the_hub_needs_is_missed_with_its_remedy(name: str, empty: Any) -> None:
    (sentence,) = missing_fields({**WHOLE, name: empty})
    assert sentence.startswith(f"the card has no {name}: ") and len(sentence) > len(name) + 30
    assert missing_fields({key: value for key, value in WHOLE.items() if key != name}) == [sentence]


def test_a_corpus_of_ones_own_is_a_warning_and_no_mistake() -> None:
    own = {**WHOLE, "datasets": []}
    assert missing_fields(own) == []
    (sentence,) = advisable_fields(own)
    assert sentence.startswith("the card has no datasets: ")


def test_a_dataset_needs_other_fields() -> None:
    dataset = {"language": ["no"], "task_categories": ["text-to-speech"], "tags": ["kathrine"]}
    assert missing_fields(dataset, "dataset") == advisable_fields({}, "dataset") == []
    assert len(missing_fields({}, "dataset")) == 3


def test_the_client_reads_what_the_front_matter_says() -> None:
    """`no` is a boolean in YAML 1.1, and a text may look like a mapping."""
    fields = {**WHOLE, "license": "no", "tags": ["x: y", "null", "æ"]}
    assert ModelCard(f"{front_matter(fields)}\n\n# x\n").data.to_dict() == fields


def test_an_address_tells_where_a_folder_lies() -> None:
    main = place_of("https://huggingface.co/kari/tale/resolve/main/")
    assert main == Place("kari/tale") and main.spoken() == "hub:kari/tale"
    assert main.expression() == 'snapshot_download("kari/tale")'
    deep = place_of("http://127.0.0.1:99/kari/tale/resolve/run%2F2/export/merged/")
    assert deep == Place("kari/tale", "run/2", "export/merged")
    assert deep.spoken() == "hub:kari/tale@run/2/export/merged"
    assert deep.expression() == 'snapshot_download("kari/tale", revision="run/2") + "/export/merged"'
    assert place_of("https://huggingface.co/datasets/kari/tale/resolve/main/") == Place("kari/tale")
    assert place_of("") is None
    assert file_address("https://h/o/n/resolve/main/", "s/a b.wav") == "https://h/o/n/resolve/main/s/a%20b.wav"
    assert file_address("", "s/a b.wav") == "s/a%20b.wav"
    with pytest.raises(KathrineError, match="'hub:kari/tale' is no address of files of the Hub"):
        place_of("hub:kari/tale")


def test_any_text_is_harmless_in_markdown() -> None:
    evil = "a|b\n<img src=x onerror=alert(1)> *[x](javascript:y)* `z` \\"
    told = plain(evil)
    assert "\n" not in told and "<" not in told and "\\|" in told and "\\[x\\]" in told and "\\`z\\`" in told
    (row,) = table(["one"], [[told]]).splitlines()[2:]
    assert row.startswith("| a\\|b ") and row.endswith(" |")
    assert table(["one", "two"], [[1, 2]], {1}) == "| one | two |\n|---|---:|\n| 1 | 2 |"
    assert table(["one"], []) == section("title", "", "") == ""
    assert section("title", "", "text") == "## title\n\ntext"
    assert eval(python_text('say "hei" \\n')) == 'say "hei" \\n'


def test_nothing_heavy_is_needed() -> None:
    assert "kathrine.cards" in sys.modules
    import subprocess

    code = "import sys, kathrine.cards; print([n for n in ('torch', 'huggingface_hub', 'yaml') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
