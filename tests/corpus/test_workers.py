"""Worker processes: order, crashes, Ctrl-C, and what becomes of them when the main process is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import worker_jobs
from corpus_fakes import prepared, recipe, rejected, utterances

from kathrine.corpus import workers
from kathrine.corpus.workers import Crashed, Workers
from kathrine.errors import KathrineError
from kathrine.progress import SilentProgress

MAIN = """
print("main module", flush=True)
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what it begins in the background
from kathrine.corpus.workers import Workers
with Workers(2) as two:
    jobs = [two.submit(os.getpid) for _ in range(8)]
    print(*{job.result() for job in jobs}, flush=True)
    waiting = [two.submit(time.sleep, 60) for _ in range(4)]
    print("busy", flush=True)
    waiting[0].result()
"""


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_results_come_in_order_and_a_few_jobs_start_no_process() -> None:
    with Workers() as few:
        assert list(few.map(worker_jobs.square, [(n,) for n in range(20)])) == [n * n for n in range(20)]
        assert set(few.map(worker_jobs.process, [(n,) for n in range(20)])) == {os.getpid()}
        many = list(few.map(worker_jobs.process, [(n,) for n in range(workers.START_AT)]))
        assert os.getpid() not in many and 1 <= len(set(many)) <= workers.cores()
        assert list(few.map(worker_jobs.square, [(n,) for n in range(3)])) == [0, 1, 4]
    assert not any(map(is_alive, many))


def test_one_worker_is_a_process_from_the_first_job_on() -> None:
    with Workers(1) as one:
        assert os.getpid() not in set(one.map(worker_jobs.process, [(1,), (2,)]))
        assert list(one.map(worker_jobs.heavy_modules, [(1,)])) == [[]]


def test_a_job_that_crashes_is_tried_once_more_and_costs_only_itself(tmp_path: Path) -> None:
    with Workers(2) as two:
        found = list(two.map(worker_jobs.note_and_die, [(n, 5, str(tmp_path)) for n in range(30)]))
    assert found[5] == Crashed("ended by SIGSEGV") and len(list(tmp_path.iterdir())) == 2
    assert found[:5] + found[6:] == [*range(5), *range(6, 30)]


def test_an_error_in_a_worker_is_raised_here() -> None:
    with Workers(1) as one, pytest.raises(RuntimeError, match=r"(?s)worker_jobs.*ValueError: 7 is wrong"):
        list(one.map(worker_jobs.fail, [(7,)]))


def test_processes_that_can_not_begin_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with Workers(2) as two, pytest.raises(KathrineError, match=r"end before they begin .ended with status 1"):
        list(two.map(worker_jobs.square, [(1,)]))


@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, -signal.SIGINT)])
def test_workers_end_with_the_main_process(tmp_path: Path, number: signal.Signals, status: int) -> None:
    """Also while they are busy. The main module, here an unguarded script, runs once."""
    script = tmp_path / "script.py"
    script.write_text(MAIN)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, str(script)], env=environment, text=True, stdout=subprocess.PIPE) as main:
        assert main.stdout is not None
        lines = [main.stdout.readline().strip() for _ in range(3)]
        processes = list(map(int, lines[1].split()))
        assert (lines[0], lines[2]) == ("main module", "busy") and all(map(is_alive, processes))
        began = time.monotonic()
        main.send_signal(number)
        assert main.wait(10) == status
        while any(map(is_alive, processes)) and time.monotonic() - began < 2:
            time.sleep(0.02)
        assert not any(map(is_alive, processes)) and main.stdout.read() == ""


CRASH = """
import os, signal, soundfile
opened = soundfile.SoundFile.__init__
def init(self, file, *more, **options):
    if str(file).endswith("segfault.wav"):
        os.kill(os.getpid(), signal.SIGSEGV)
    opened(self, file, *more, **options)
soundfile.SoundFile.__init__ = init
"""


def test_a_recording_that_crashes_the_decoder_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = utterances(tmp_path / "audio", 12)
    bad = tmp_path / "segfault.wav"
    bad.write_bytes(Path(str(given[11].audio)).read_bytes()[:-2] + b"zz")
    alone = prepared(tmp_path / "alone", recipe(given))
    # The decoder of every new process is replaced by one that this recording crashes.
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(CRASH)
    monkeypatch.syspath_prepend(tmp_path / "site")
    progress = SilentProgress()
    odd = [*given[:5], replace(given[0], id="bad", audio=bad), *given[5:]]
    made = recipe(odd, table={"workers": 2})
    corpus = prepared(tmp_path / "ws", made, progress)
    assert rejected(corpus) == {"crashed the decoder": 1} and corpus.rows == alone.rows
    assert progress.warned == ["a: crashed the decoder: bad: segfault.wav: ended by SIGSEGV"]
    for row in alone.rows:
        assert (corpus.example(row.key).codes_FQ == alone.example(row.key).codes_FQ).all()
    # Nothing about it is kept: where the decoder was mended, it is read.
    monkeypatch.undo()
    assert len(prepared(tmp_path / "ws", recipe(odd)).rows) == 13
