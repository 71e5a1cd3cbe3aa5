"""The blind listening test: what listeners get, what they can not see, and what their answers say."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import esprima
import numpy as np
import pytest
import soundfile

from kathrine.cli.main import run as kathrine
from kathrine.speech.blind_page import SCRIPT
from kathrine.speech.blind_test import compare, interval, make_trials

TEXTS = ("Kjære deg.", "Gutten </script><b>gikk</b> & sang.", "Ja.", "Bare A sier dette.")
RATE = 24000


def spoken(folder: Path, level: float, texts: tuple[str, ...] = TEXTS[:3]) -> Path:
    """A folder that looks like one that was spoken into."""
    folder.mkdir()
    rows = []
    for number, text in enumerate(texts, start=1):
        wave = level * np.sin(np.arange(RATE) / (20 + number))
        soundfile.write(folder / f"{number:02d}.wav", wave.astype(np.float32), RATE)
        rows.append({"text": text, "file": f"{number:02d}.wav", "seconds": 1.0})
    (folder / "takes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, level in (("base", 0.1), ("tuned", 0.5), ("human", 0.05)):
        spoken(tmp_path / name, level, TEXTS if name == "base" else TEXTS[:3])
    assert kathrine(["listen", "base", "tuned", "human", "--question", "Which is <better>?"]) == 0
    return tmp_path / "listening.html"


class Outline(HTMLParser):
    """Tags, ids and scripts of a page; fails where tags do not close."""

    void = ("meta", "input", "br", "img", "link")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.scripts: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes) -> None:
        if tag not in self.void:
            self.open.append(tag)
        found = dict(attributes)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found[name] for name in ("src", "href") if name in found]

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)


def document(page: Path) -> dict:
    return json.loads(Outline(page.read_text(encoding="utf-8")).scripts[0])


def test_the_page_parses_and_asks_for_nothing_from_elsewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    outline = Outline(text)
    assert outline.links == [] and "http" not in text.replace("http-equiv", "")
    data, script = outline.scripts
    assert script == SCRIPT
    tree = esprima.parseScript(script)
    assert tree.body
    # every id that the script looks for is there
    used = (set(re.findall(r'at\("([a-z-]+)"', script)) - {"play-"}) | {"play-left", "play-right", "data"}
    assert used <= set(outline.ids)
    assert "Which is &lt;better&gt;?" in text and "Which is <better>" not in text
    assert {trial["text"] for trial in json.loads(data)["trials"]} == set(TEXTS[:3])


def test_nothing_on_the_page_tells_the_systems_apart(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"\b(base|tuned|human)\b", text.replace("base64", ""))
    data = document(page)
    loudness = []
    for uri in data["clips"].values():
        wave, rate = soundfile.read(io.BytesIO(base64.b64decode(uri.split(",", 1)[1])))
        assert uri.startswith("data:audio/flac;base64,") and rate == RATE
        loudness.append(np.sqrt(np.mean(wave**2)))
    assert max(loudness) / min(loudness) < 1.1  # they were 20 dB apart


def test_every_pair_and_text_comes_once_and_sides_are_drawn(page: Path) -> None:
    key = json.loads(page.with_suffix(".key.json").read_text(encoding="utf-8"))
    asked = set()
    for trial in key["trials"].values():
        left, right = (key["clips"][trial[side]] for side in ("left", "right"))
        assert left["text"] == right["text"]
        asked.add((left["text"], frozenset((left["system"], right["system"]))))
    assert len(asked) == len(key["trials"]) == 3 * 3
    takes = {name: {f"{number}": Path("x") for number in range(200)} for name in "ab"}
    clips, trials = make_trials(takes, 200, seed=1)
    system = {clip.id: clip.system for clip in clips}
    assert 70 < sum(system[trial.left] == "a" for trial in trials) < 130
    assert len(make_trials(takes, 7, seed=1)[1]) == 7


def answers(page: Path, session: str, prefer) -> Path:
    """What a listener saves who answers each trial by `prefer(left system, right system)`."""
    key = json.loads(page.with_suffix(".key.json").read_text(encoding="utf-8"))
    system = {name: clip["system"] for name, clip in key["clips"].items()}
    found = [
        {
            "trial": name,
            "choice": prefer(system[trial["left"]], system[trial["right"]]),
            "heard": [1, 1],
            "seconds": 3.0,
        }
        for name, trial in key["trials"].items()
    ]
    path = page.parent / f"{session}.json"
    path.write_text(json.dumps({"test": key["test"], "session": session, "listener": "", "answers": found}))
    return path


def test_scores_are_those_of_the_answers(page: Path, capsys) -> None:
    def tuned_wins(left: str, right: str) -> str:
        return "left" if left == "tuned" else "right" if right == "tuned" else "same"

    files = [answers(page, name, tuned_wins) for name in ("one", "two", "three")]
    capsys.readouterr()
    assert kathrine(["listen", "--json", *(word for file in files for word in ("--score", str(file)))]) == 0
    found = {(one["first"], one["second"]): one for one in json.loads(capsys.readouterr().out)}
    assert found["base", "tuned"]["preference"] == 0.0 and found["base", "tuned"]["wins_second"] == 9
    assert found["tuned", "human"]["preference"] == 1.0 and found["tuned", "human"]["low"] > 0.6
    assert found["base", "human"]["preference"] == 0.5 and found["base", "human"]["same"] == 9
    kathrine(["listen", "--score", str(files[0])])
    shown = capsys.readouterr().out
    assert "1 listener (few: ask at least ten)" in shown and "100%" in shown


def test_results_that_do_not_fit_are_all_named(page: Path, capsys, tmp_path: Path) -> None:
    good = answers(page, "one", lambda left, right: "same")
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"test": "zzz", "session": "x", "answers": []}))
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    copy = shutil.copy(good, tmp_path / "copy.json")
    words = [word for file in (good, other, broken, copy, "none.json") for word in ("--score", str(file))]
    assert kathrine(["listen", *words]) == 2
    told = capsys.readouterr().err
    assert "4 files can not be scored" in told and "answers another test" in told and "the same answers as" in told
    assert "broken.json: not the results" in told and "none.json" in told


def test_intervals_know_that_votes_hang_together() -> None:
    units = [(f"listener {n % 4}", f"text {n // 4}") for n in range(40)]
    by_chance = [float(n % 3 == 0) for n in range(40)]
    of_listeners = [float(n % 4 < 2) for n in range(40)]  # two listeners always, two never
    assert interval(of_listeners, units, 0) == (0.0, 1.0)
    low, high = interval(by_chance, units, 0)
    assert low < sum(by_chance) / 40 < high and high - low < 0.6
    low, high = interval([1.0] * 10, units[:10], 0)
    assert high == 1.0 and low == pytest.approx(0.05 ** (1 / 10))
    assert compare([], ["a", "b"]) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["one"], "1 systems given"),
        (["base", "base"], "the same system is given twice"),
        (["base", "nowhere"], "nowhere holds no takes"),
        (["base", "tuned", "--checkpoint", "5"], "once for each system"),
        (["base", "silent"], "have said nothing in common"),
        (["--score", "x.json", "--key", "none"], "there is no key none"),
        (["base", "--score", "x.json"], "leave the systems out"),
        (["base", "tuned", "--checkpoint", "best", "--checkpoint", "last"], "is a step whose samples were spoken"),
        (["base", "tuned", "--json"], "--json is for scores"),
    ],
)
def test_what_can_not_be_compared_is_refused(page: Path, capsys, words, said) -> None:
    spoken(page.parent / "silent", 0.1, ("Noe helt annet.",))
    assert kathrine(["listen", *words, "--out", "new.html"]) == 2
    assert said in capsys.readouterr().err and not (page.parent / "new.html").exists()


def test_a_test_that_is_out_is_not_overwritten(page: Path, capsys) -> None:
    assert kathrine(["listen", "base", "tuned"]) == 2
    assert "is there already" in capsys.readouterr().err


DRIVER = """
<script>
window.players = [];
window.Audio = function () { const one = document.createElement("audio"); one.play = () => Promise.resolve();
  window.players.push(one); return one; };
</script>
"""
CLICKS = """
<script>
const at = (id) => document.getElementById(id);
at("listener").value = "Kari";
at("begin").click();
let closed = 0;
while (!at("trial").hidden) {
  closed += at("left").disabled && at("same").disabled;
  at("play-left").click(); window.players[0].dispatchEvent(new Event("ended"));
  closed += at("left").disabled;
  at("play-right").click(); window.players[1].dispatchEvent(new Event("ended"));
  at("left").click();
}
const out = document.createElement("pre");
out.id = "out"; out.textContent = JSON.stringify({ closed, results: at("results").value, save: at("save").href });
document.body.append(out);
</script>
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed")
def test_in_a_browser(page: Path, tmp_path: Path, capsys) -> None:
    """A listener who answers every pair gets a file that can be scored; no answer before both were heard."""
    text = page.read_text(encoding="utf-8")
    driven = tmp_path / "driven.html"
    driven.write_text(text.replace("<script>", DRIVER + "<script>", 1).replace("</body>", CLICKS + "</body>"))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    done = subprocess.run(
        ["chromium", *flags, driven.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    found = re.search(r'<pre id="out">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found is not None, done.stdout[-2000:]
    told = json.loads(found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    assert told["closed"] == 2 * 9 and told["save"].startswith("blob:")
    results = tmp_path / "results.json"
    results.write_text(told["results"], encoding="utf-8")
    assert json.loads(told["results"])["listener"] == "Kari"
    capsys.readouterr()
    assert kathrine(["listen", "--json", "--score", str(results)]) == 0
    assert sum(one["votes"] for one in json.loads(capsys.readouterr().out)) == 9
