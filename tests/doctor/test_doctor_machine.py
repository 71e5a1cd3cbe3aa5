"""Each check of the doctor on real conditions: this machine, real folders, files as the kernel writes them."""

from __future__ import annotations

import os
import shutil
import socket
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from kathrine.doctor import clock, files, limits, machine, software
from kathrine.doctor.asking import Question
from kathrine.doctor.findings import green, red, size, worst, yellow
from kathrine.doctor.machine import Gpu, Processor
from kathrine.errors import KathrineError

CPU = Processor((), "", "", 2)
H100 = Processor((Gpu("H100", 79 * 10**9, 80 * 10**9, True),), "570.1", "12.8", 8)
T4 = Processor((Gpu("T4", 15 * 10**9, 16 * 10**9, False),), "570.1", "12.8", 8)


def test_the_worst_finding_decides():
    assert worst([]) == "green"
    assert worst([green("a", ""), yellow("b", "", "")]) == "yellow"
    assert worst([red("a", "", ""), yellow("b", "", "")]) == "red"


@pytest.mark.parametrize(("count", "told"), [(12, "12 bytes"), (1.26e9, "1.3 GB"), (512e6, "512 MB"), (2e12, "2.0 TB")])
def test_sizes_are_for_people(count, told):
    assert size(count) == told


def test_installed_packages_are_in_their_ranges():
    (finding,) = software.check_packages()
    assert finding.state == "green" and "torch 2." in finding.measured and "peft" in finding.measured
    assert software.check_python().state == "green"


def test_a_package_that_is_missing_or_too_old_is_red_with_the_command():
    wanted = ["click>=8", "numpy<1", "no-such-package>=3", 'never>=9; extra == "x"']
    old, missing, fine = software.check_packages(wanted)
    assert (old.name, old.state) == ("numpy", "red") and 'pip install "numpy<1"' in old.remedy
    assert (missing.name, missing.state) == ("no-such-package", "red") and "not installed" in missing.measured
    assert fine.state == "green"
    assert software.check_python(">=4").state == "red"


def test_this_machine_is_looked_at():
    processor = machine.look()
    assert processor.threads >= 1
    assert all(gpu.total >= gpu.free > 0 for gpu in processor.gpus)
    assert machine.matmul_rate() > 1e8


@pytest.mark.parametrize(
    ("device", "processor", "state", "told"),
    [
        ("auto", H100, "green", "H100"),
        ("cpu", H100, "yellow", 'run.device = "cpu"'),
        ("cuda", CPU, "red", "sees no GPU"),
        ("auto", CPU, "yellow", "GFLOP/s"),
        ("cpu", CPU, "green", "as the recipe asks"),
        ("auto", Processor((), "570.1", "", 2), "yellow", "CPU build"),
        ("cuda", Processor((), "470.1", "12.8", 2, "driver too old"), "red", "driver too old"),
        ("auto", Processor((Gpu("A100", 10**9, 40 * 10**9, True),), "570", "12.8", 8), "yellow", "1.0 GB of 40.0 GB"),
    ],
)
def test_the_device_that_the_recipe_asks_for(device, processor, state, told):
    finding = machine.check_device(device, processor)
    assert finding.state == state and told in finding.measured
    assert bool(finding.remedy) == (state != "green")


@pytest.mark.parametrize(
    ("precision", "device", "processor", "state"),
    [
        ("bf16", "auto", H100, "green"),
        ("bf16", "auto", T4, "yellow"),
        ("bf16", "cpu", H100, "yellow"),
        ("fp32", "auto", T4, "green"),
    ],
)
def test_precision_against_what_the_device_computes(precision, device, processor, state):
    assert machine.check_precision(precision, device, processor).state == state


def test_threads_against_the_cores_of_the_container(tmp_path):
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert limits.cores(tmp_path) == min(1.5, len(os.sched_getaffinity(0)))
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert limits.cores(tmp_path) == len(os.sched_getaffinity(0))
    eight = Processor((), "", "", 8)
    assert machine.check_threads(eight, {}, 1.5).state == "yellow"
    assert "OMP_NUM_THREADS=1" in machine.check_threads(eight, {}, 1.5).remedy
    assert machine.check_threads(eight, {"OMP_NUM_THREADS": "8"}, 8).state == "green"
    assert machine.check_threads(Processor((), "", "", 1), {"OMP_NUM_THREADS": "1"}, 16).state == "yellow"


def test_memory_is_what_the_container_leaves(tmp_path):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 1 kB\nMemAvailable:   8000000 kB\n")
    assert limits.memory_free(tmp_path, meminfo) == 8_000_000 * 1024
    (tmp_path / "memory.max").write_text("3000000000\n")
    (tmp_path / "memory.current").write_text("2500000000\n")
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 1000000000\n")
    assert limits.memory_free(tmp_path, meminfo) == 1_500_000_000
    assert limits.memory_free() > 0


LAUNCHED = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "h", "MASTER_PORT": "29500"}


@pytest.mark.parametrize(
    ("environment", "state", "told"),
    [
        ({}, "green", "one"),
        (LAUNCHED, "green", "WORLD_SIZE=2"),
        ({"WORLD_SIZE": "2"}, "red", "RANK"),
        ({"RANK": "1"}, "red", "WORLD_SIZE"),
        ({**LAUNCHED, "MASTER_ADDR": ""}, "red", "MASTER_ADDR"),
        ({**LAUNCHED, "RANK": "2"}, "red", "0 to 1"),
        ({**LAUNCHED, "RANK": "first"}, "red", "not a number"),
        ({**LAUNCHED, "NCCL_SOCKET_IFNAME": "nosuch0"}, "red", "nosuch0"),
        ({**LAUNCHED, "NCCL_SOCKET_IFNAME": "lo"}, "green", "RANK=0"),
    ],
)
def test_variables_of_a_launcher(environment, state, told):
    finding = machine.check_processes(environment, CPU)
    assert finding.state == state and told in finding.measured


def test_more_processes_than_gpus():
    assert machine.check_processes({**LAUNCHED, "LOCAL_RANK": "1"}, H100).state == "red"


def test_a_folder_that_works_is_green_and_left_as_it_was(tmp_path):
    finding = files.check_folder("workspace", tmp_path / "a" / "b", "remedy")
    assert finding.state == "green" and "not made yet" in finding.measured
    assert list(tmp_path.iterdir()) == []


def test_folders_that_do_not_work(tmp_path):
    assert files.check_folder("workspace", Path("/proc/kathrine"), "elsewhere").state == "red"  # nobody writes there
    (tmp_path / "file").write_text("")
    assert "is a file" in files.check_folder("workspace", tmp_path / "file" / "below", "elsewhere").measured
    slow = files.check_folder("workspace", tmp_path, "elsewhere", replace=shutil.copyfile)
    assert slow.state == "red" and "rename" in slow.measured
    assert files.knows_locks(tmp_path / "lock") and not files.knows_locks(Path("/proc/kathrine/lock"))


MOUNTS = """22 1 0:21 / / rw - overlay overlay rw
23 22 0:22 / /work\\040space rw,relatime shared:1 - ext4 /dev/vda rw
24 22 0:23 / /dev/shm rw - tmpfs tmpfs rw
"""


def test_what_would_be_lost_with_the_container(tmp_path):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert files.file_system(Path("/work space/below"), mounts) == "ext4"
    assert files.file_system(Path("/elsewhere"), mounts) == "overlay"
    (lost,) = files.check_lasting(Path("/elsewhere"), Path("/dev/shm/runs"), {}, mounts)
    assert lost.state == "yellow" and "overlay" in lost.measured and "tmpfs" in lost.measured
    lasting = Path("/work space")  # not there: what stands above it is looked at
    assert files.check_lasting(lasting, lasting, {"KATHRINE_WORKSPACE": "/x"}, mounts)[0].state == "yellow"


def test_memory_disks_are_seen_as_such():
    assert files.file_system(Path("/dev/shm")) == "tmpfs"
    assert files.file_system(Path("/proc")) == "proc"


def test_a_container_without_a_named_workspace(tmp_path):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"22 1 0:21 / / rw - ext4 /dev/vda rw\n23 22 0:22 / {tmp_path} rw - ext4 /dev/vdb rw\n")
    inside = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    assert files.check_lasting(tmp_path, tmp_path, inside, mounts)[0].state == "yellow"
    named = {**inside, "KATHRINE_WORKSPACE": str(tmp_path)}
    assert files.check_lasting(tmp_path, tmp_path, named, mounts)[0].state == "green"


def test_room_for_both_folders_of_a_disk_together(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    half = round(free * 0.6)
    (full,) = files.check_room([(tmp_path, "workspace", half, 0), (tmp_path / "runs", "run", half, 0)])
    assert full.state == "red" and "workspace and run" in full.measured
    assert files.check_room([(tmp_path, "workspace", round(free * 0.9), 0)])[0].state == "yellow"
    assert files.check_room([(tmp_path, "workspace", 0, 0)])[0].state == "green"
    if os.statvfs(tmp_path).f_files:
        assert files.check_room([(tmp_path, "workspace", 0, 10**13)])[-1].name == "inodes"


def test_the_clock_against_the_hub_and_without_it(tmp_path):
    now = time.time()
    assert clock.check_clock(formatdate(now, usegmt=True), tmp_path).state == "green"
    slow = clock.check_clock(formatdate(now + 600, usegmt=True), tmp_path)
    assert slow.state == "yellow" and "behind the Hub" in slow.measured
    assert clock.check_clock(formatdate(now - 7200, usegmt=True), tmp_path).state == "red"
    assert "file system" in clock.check_clock("", tmp_path).measured
    assert clock.check_clock("", tmp_path).state == "green"
    before = clock.check_clock("", tmp_path, now=0.0)
    assert before.state == "red" and "installed" in before.measured
    assert clock.check_clock("", tmp_path, now=now + 7200).state == "red"


def test_a_host_that_never_answers_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()

        def ask() -> bytes:
            with socket.create_connection(address) as one:
                return one.recv(1)

        began = time.monotonic()
        first, second = (Question(ask, "the host", seconds=0.3) for _ in range(2))
        for question in (first, second):
            with pytest.raises(KathrineError, match=r"gave no answer within 0\.3 s"):
                question.answer()
        assert time.monotonic() - began < 2  # waited for together
        assert first._thread.daemon  # nobody waits for it at the end of the program either


def test_an_answer_and_an_error_come_through():
    assert Question(lambda: 7, "it").answer() == 7

    def fail() -> None:
        raise ValueError("told")

    with pytest.raises(ValueError, match="told"):
        Question(fail, "it").answer()
