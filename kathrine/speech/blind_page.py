"""The page of a blind listening test: one HTML file that needs nothing else, opened from anywhere."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

from kathrine.speech.blind_test import Clip, Trial

LOUDNESS, PEAK_DB = -23.0, -1.0
"""All clips are as loud as each other: the louder of two is always preferred."""


def clip_uri(path: Path) -> str:
    """A WAV at the common loudness, as FLAC in a data URI: nothing that could be preferred is lost."""
    import soundfile

    from kathrine.corpus.audio import set_level

    wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
    level = set_level(wave[:, 0], rate, LOUDNESS, PEAK_DB)
    buffer = io.BytesIO()
    soundfile.write(buffer, level, rate, format="FLAC", subtype="PCM_16")
    return "data:audio/flac;base64," + base64.b64encode(buffer.getvalue()).decode()


def listening_page(test: str, question: str, clips: Sequence[Clip], trials: Sequence[Trial]) -> str:
    """The page. It knows clips by random names, and no system."""
    sounds = {clip.id: clip_uri(clip.path) for clip in clips}
    asked = [{"id": trial.id, "text": trial.text, "left": trial.left, "right": trial.right} for trial in trials]
    data = json.dumps({"test": test, "trials": asked, "clips": sounds}, ensure_ascii=False).replace("</", "<\\/")
    return (
        PAGE.replace("{style}", STYLE)
        .replace("{script}", SCRIPT)
        .replace("{question}", escape(question))
        .replace("{data}", data)
    )


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>Listening test</title>
<style>{style}</style>
</head>
<body>
<main>
<section id="start">
<h1>Listening test</h1>
<p id="size"></p>
<p>You hear the same sentence twice. After each pair you say which one answers the question better:</p>
<p class="question">{question}</p>
<p>Use headphones if you can. Listen to both before you answer, as often as you like. Nothing is sent anywhere: at the
end you save a file.</p>
<label>Your name or initials (may stay empty) <input id="listener" autocomplete="off"></label>
<button id="begin" class="main">Begin</button>
</section>
<section id="trial" hidden>
<div class="bar"><i id="done"></i></div>
<p id="count" class="soft"></p>
<p class="question">{question}</p>
<blockquote id="text"></blockquote>
<div class="pair">
<button id="play-left" class="play">&#9654; First</button>
<button id="play-right" class="play">&#9654; Second</button>
</div>
<div class="choices">
<button id="left" class="choice" disabled>The first</button>
<button id="same" class="choice" disabled>No difference</button>
<button id="right" class="choice" disabled>The second</button>
</div>
<p id="hint" class="soft">Listen to both, then choose.</p>
<button id="back" class="link">Back to the pair before</button>
</section>
<section id="end" hidden>
<h1>Thank you</h1>
<p>Save the results and send the file to whoever asked you.</p>
<a id="save" class="main" download="listening-results.json">Save results</a>
<p class="soft">If saving does not work on your phone, copy this text instead:</p>
<textarea id="results" readonly rows="6"></textarea>
<button id="copy">Copy</button>
</section>
</main>
<noscript><p>This page needs JavaScript.</p></noscript>
<script id="data" type="application/json">{data}</script>
<script>{script}</script>
</body>
</html>
"""

STYLE = """
:root{color-scheme:light dark;--ground:#fff;--card:#f4f6f8;--ink:#1c2430;--soft:#5d6878;--line:#d8dde5;--main:#2f6fb7;
--on:#fff}
@media (prefers-color-scheme:dark){:root{--ground:#14181e;--card:#1c222b;--ink:#e6e9ee;--soft:#9aa6b6;--line:#353f4d;
--main:#4d8fd8;--on:#fff}}
*{box-sizing:border-box}
[hidden]{display:none!important}
body{margin:0;background:var(--ground);color:var(--ink);font:17px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:640px;margin:0 auto;padding:20px 16px 60px}
h1{font-size:1.5rem;margin:8px 0 12px}
.soft{color:var(--soft);font-size:.9rem}
.question{font-weight:600;font-size:1.1rem}
blockquote{margin:12px 0;padding:12px 16px;background:var(--card);border-left:4px solid var(--main);border-radius:6px;
overflow-wrap:anywhere}
label{display:block;margin:16px 0}
input,textarea{width:100%;font:inherit;padding:10px;border:1px solid var(--line);border-radius:8px;
background:var(--card);color:var(--ink)}
textarea{font:12px/1.4 ui-monospace,monospace}
button,a.main{font:inherit;min-height:52px;padding:10px 16px;border-radius:10px;border:1px solid var(--line);
background:var(--card);color:var(--ink);cursor:pointer;display:inline-block;text-decoration:none}
.main{background:var(--main)!important;color:var(--on)!important;border-color:var(--main);font-weight:600}
button:disabled{opacity:.45;cursor:default}
button:focus-visible,a:focus-visible{outline:3px solid var(--main);outline-offset:2px}
.pair,.choices{display:grid;gap:10px;margin:16px 0}
.pair{grid-template-columns:1fr 1fr}.choices{grid-template-columns:1fr 1fr 1fr}
.play{min-height:84px;font-size:1.1rem}
.play.playing{background:var(--main);color:var(--on)}
.play.heard::after{content:" \\2713"}
.link{border:0;background:none;color:var(--soft);text-decoration:underline;padding-left:0}
.bar{height:6px;background:var(--line);border-radius:3px;overflow:hidden}.bar i{display:block;height:100%;width:0;
background:var(--main)}
@media (max-width:480px){.choices{grid-template-columns:1fr}}
""".strip()

SCRIPT = """
"use strict";
(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const store = "kathrine-listening-" + data.test;
  let state = { session: "", listener: "", order: [], answers: {}, began: "" };

  function load() {
    try {
      const kept = JSON.parse(localStorage.getItem(store));
      if (kept && kept.order && kept.order.length === data.trials.length) state = kept;
    } catch (error) { /* a page opened from a file may have no storage: it then starts anew each time */ }
  }

  function keep() {
    try { localStorage.setItem(store, JSON.stringify(state)); } catch (error) { /* as above */ }
  }

  function random() {
    const numbers = new Uint32Array(1);
    crypto.getRandomValues(numbers);
    return numbers[0] / 4294967296;
  }

  function shuffled(list) {
    const copy = list.slice();
    for (let last = copy.length - 1; last > 0; last -= 1) {
      const other = Math.floor(random() * (last + 1));
      [copy[last], copy[other]] = [copy[other], copy[last]];
    }
    return copy;
  }

  const players = { left: new Audio(), right: new Audio() };
  let heard = { left: 0, right: 0 };
  let place = 0;
  let shown = 0;

  function trial() { return data.trials.find((one) => one.id === state.order[place]); }

  function stop() {
    for (const side of ["left", "right"]) {
      players[side].pause();
      at("play-" + side).classList.remove("playing");
    }
  }

  function play(side) {
    stop();
    players[side].currentTime = 0;
    at("play-" + side).classList.add("playing");
    players[side].play().catch((error) => { at("hint").textContent = "This browser can not play it: " + error.message;
    });
  }

  for (const side of ["left", "right"]) {
    at("play-" + side).addEventListener("click", () => play(side));
    players[side].addEventListener("ended", () => {
      heard[side] += 1;
      at("play-" + side).classList.remove("playing");
      at("play-" + side).classList.add("heard");
      if (heard.left && heard.right) {
        for (const choice of ["left", "same", "right"]) at(choice).disabled = false;
        at("hint").textContent = "";
      }
    });
  }

  function show() {
    stop();
    const all = state.order.length;
    if (place >= all) { finish(); return; }
    const now = trial();
    heard = { left: 0, right: 0 };
    shown = Date.now();
    at("start").hidden = true;
    at("end").hidden = true;
    at("trial").hidden = false;
    at("done").style.width = (100 * place / all) + "%";
    at("count").textContent = "Pair " + (place + 1) + " of " + all;
    at("text").textContent = now.text;
    at("back").hidden = place === 0;
    at("hint").textContent = "Listen to both, then choose.";
    for (const side of ["left", "right"]) {
      players[side].src = data.clips[now[side]];
      at("play-" + side).classList.remove("heard");
    }
    for (const choice of ["left", "same", "right"]) at(choice).disabled = true;
  }

  function answer(choice) {
    const now = trial();
    state.answers[now.id] = {
      trial: now.id, choice: choice, heard: [heard.left, heard.right], seconds: (Date.now() - shown) / 1000,
    };
    place += 1;
    keep();
    show();
  }

  for (const choice of ["left", "same", "right"]) at(choice).addEventListener("click", () => answer(choice));
  at("back").addEventListener("click", () => { place = Math.max(0, place - 1); show(); });

  function results() {
    return JSON.stringify({
      test: data.test, session: state.session, listener: state.listener, began: state.began,
      ended: new Date().toISOString(), answers: state.order.map((id) => state.answers[id]).filter(Boolean),
    }, null, 1);
  }

  function finish() {
    at("trial").hidden = true;
    at("start").hidden = true;
    at("end").hidden = false;
    const text = results();
    at("results").value = text;
    at("save").href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    at("save").download = "listening-" + data.test + "-" + state.session + ".json";
  }

  at("copy").addEventListener("click", () => {
    at("results").select();
    if (navigator.clipboard) navigator.clipboard.writeText(at("results").value).catch(() =>
    document.execCommand("copy")); else document.execCommand("copy");
  });

  at("begin").addEventListener("click", () => {
    if (!state.order.length) {
      state.order = shuffled(data.trials.map((one) => one.id));
      state.session = Math.floor(random() * 1e12).toString(36);
      state.began = new Date().toISOString();
    }
    state.listener = at("listener").value.trim();
    keep();
    place = state.order.findIndex((id) => !state.answers[id]);
    if (place < 0) place = state.order.length;
    show();
  });

  load();
  const minutes = Math.ceil(data.trials.length / 3);
  at("size").textContent = data.trials.length + " pairs, about " + minutes + (minutes === 1 ? " minute." : " minutes.");
  if (Object.keys(state.answers).length) {
    at("begin").textContent = "Go on with pair " + (Object.keys(state.answers).length + 1);
    at("listener").value = state.listener;
  }
})();
""".strip()
