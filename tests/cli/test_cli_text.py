"""`kathrine text`: the spoken form, the rules that made it, and what is refused."""

import json
import subprocess
import sys

import pytest


def call(*args, given=None):
    command = [sys.executable, "-m", "kathrine", "text", *args]
    return subprocess.run(command, capture_output=True, text=True, input=given, check=False, timeout=120)


@pytest.mark.parametrize(
    ("args", "spoken"),
    [
        (["norwegian", "kl. 14.30"], "klokka fjorten tretti\n"),
        (["norwegian", "den 7. mai, t.d. 2 mill.", "--variant", "nn"], "den sjuande mai, til dømes to millionar\n"),
        (["norwegian", "-5 °C"], "minus fem grader\n"),
        (["norwegian", "7", "8"], "sju\nåtte\n"),
        (["norwegian", "7", "--set", "seven=syv", "--set", "full_stop=true"], "syv.\n"),
        (["norwegian", "nr. 7", "--as", "normsentence_text"], "nummer 7\n"),
    ],
)
def test_it_prints_the_spoken_form(args, spoken):
    result = call(*args)
    assert (result.returncode, result.stdout, result.stderr) == (0, spoken, "")


def test_it_reads_lines_from_a_pipe_and_tells_which_are_rejected():
    result = call("norwegian", given="kr 100\nse vg.no\n17. mai\n")
    assert result.returncode == 1
    assert result.stdout == "hundre kroner\nsyttende mai\n"
    assert result.stderr == "rejected: an address can not be read aloud: vg.no\n"


def test_explain_shows_each_rule_before_and_after():
    result = call("norwegian", "--explain", "<ee> kl. 14.30")
    rows = [line.split("│")[1:-1] for line in result.stdout.split("\n") if line.startswith("│")]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["tags", "<ee> kl. 14.30", "kl. 14.30"],
        ["spaces", "kl. 14.30", "kl. 14.30"],
        ["abbreviations", "kl. 14.30", "klokka 14.30"],
        ["times", "klokka 14.30", "klokka fjorten tretti"],
    ]
    assert result.stdout.endswith("klokka fjorten tretti\n")
    assert call("norwegian", "--explain", "Ja.").stdout == "no rule changed anything\nJa.\n"


def test_json_has_text_reason_and_steps():
    spoken, refused = map(json.loads, call("norwegian", "--json", "40 %", "😀 ja").stdout.splitlines())
    assert spoken["text"] == "førti prosent" and spoken["rules"] == ["units"]
    assert spoken["steps"] == [{"rule": "units", "before": "40 %", "after": "førti prosent"}]
    assert refused["text"] == "" and refused["rejected"] == "no rule for the sign '😀' (U+1F600 GRINNING FACE)"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["norwegain", "7"], ["unknown language 'norwegain' (did you mean 'norwegian'?)", "installed: "]),
        (["norwegian", "7", "--variant", "dk"], ["variant: expected 'nb' or 'nn'"]),
        (["norwegian", "7", "--set", "sevn=syv", "--set", "x"], ["sevn", "did you mean 'seven'", "expected KEY=VALUE"]),
        (["norwegian", "7", "--set", "foo=1"], ["language norwegian: --set: unknown option 'foo'; options: "]),
        (["norwegian", "--explian", "7"], ["there is no option --explian"]),
    ],
)
def test_mistakes_are_told_with_a_remedy(args, words):
    result = call(*args)
    assert result.returncode == 2 and result.stdout == "" and "Traceback" not in result.stderr
    assert all(word in result.stderr for word in words), result.stderr


def test_a_text_variant_that_the_language_does_not_know_is_told():
    result = call("norwegian", "nr. 7", "--as", "normsentense")
    assert (result.returncode, result.stdout) == (0, "nummer sju\n")
    assert result.stderr == (
        "--as normsentense: norwegian treats it like text (did you mean 'normsentence'?); "
        "it knows text, normsentence, normsentence_text\n"
    )
    assert call("norwegian", "nr. 7", "--as", "mine", "--set", 'digit_variants=["mine"]').stderr == ""
