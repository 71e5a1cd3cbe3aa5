"""The processor that will do the work: GPU, driver, precision, threads. Torch is imported when it is looked at."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kathrine.doctor.findings import Finding, green, red, size, yellow
from kathrine.doctor.limits import cores, read

DRIVER = Path("/proc/driver/nvidia/version")
MATRIX, MATMUL_SECONDS = 512, 0.2


@dataclass(frozen=True, slots=True)
class Gpu:
    """A CUDA device as torch sees it. free, total: bytes. bf16: computes bfloat16 itself, without emulation."""

    name: str
    free: int
    total: int
    bf16: bool


@dataclass(frozen=True, slots=True)
class Processor:
    """What torch can compute on. driver: NVIDIA's version, empty without one. built_for: CUDA version that torch was
    built for, empty for a CPU build. threads: of torch."""

    gpus: tuple[Gpu, ...]
    driver: str
    built_for: str
    threads: int
    trouble: str = ""


def look(driver: Path = DRIVER) -> Processor:
    """What is here."""
    import warnings

    import torch

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    gpus = []
    for number in range(count):
        free, total = torch.cuda.mem_get_info(number)
        with torch.cuda.device(number):
            bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        gpus.append(Gpu(torch.cuda.get_device_name(number), free, total, bf16))
    found = [word for word in read(driver).split() if word[:1].isdigit() and "." in word]
    trouble = "" if count or not said else str(said[0].message).splitlines()[0]
    return Processor(tuple(gpus), found[0] if found else "", torch.version.cuda or "", torch.get_num_threads(), trouble)


def uses_gpu(device: str, processor: Processor) -> bool:
    """Whether a run with `run.device` takes the GPU."""
    return device != "cpu" and bool(processor.gpus)


def check_device(device: str, processor: Processor) -> Finding:
    """Given: device, `run.device` of the recipe."""
    if uses_gpu(device, processor):
        told = "; ".join(f"{gpu.name}, {size(gpu.free)} of {size(gpu.total)} free" for gpu in processor.gpus)
        driver = f"; driver {processor.driver or '?'}, torch for CUDA {processor.built_for}"
        if any(gpu.free < 0.9 * gpu.total for gpu in processor.gpus):
            remedy = "another process holds memory of it: see nvidia-smi"
            return yellow("gpu", told + driver, remedy)
        return green("gpu", told + driver)
    if processor.gpus:
        return yellow("gpu", f'{processor.gpus[0].name} is here, and run.device = "cpu"', 'set run.device = "auto"')
    why = "torch sees no GPU"
    remedy = "run it on a machine with a GPU; a released model takes days on a CPU"
    if processor.driver and not processor.built_for:
        why, remedy = f"driver {processor.driver} is here, but this torch is a CPU build", "install torch for CUDA"
    elif processor.driver:
        why = f"driver {processor.driver} is here, and torch for CUDA {processor.built_for} sees no GPU"
        remedy = "update the driver, or give the container the GPU (--gpus all, nvidia.com/gpu: 1)"
    if processor.trouble:
        why += f" ({processor.trouble})"
    if device == "cuda":
        return red("gpu", f'{why}, and run.device = "cuda"', remedy)
    told = f"{why}; {matmul_rate() / 1e9:.0f} GFLOP/s in float32 here"
    if device == "cpu" and not processor.driver:
        return green("gpu", f"{told}, as the recipe asks")
    return yellow("gpu", told, remedy)


def matmul_rate() -> float:
    """Operations a second of float32 matrix products on the CPU, measured for a fifth of a second."""
    import torch

    matrix = torch.ones(MATRIX, MATRIX)
    matrix @ matrix  # the first one starts the threads
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < MATMUL_SECONDS:
        matrix @ matrix
        done += 1
    return done * 2 * MATRIX**3 / (time.perf_counter() - began)


def check_precision(precision: str, device: str, processor: Processor) -> Finding:
    """Given: precision, `train.precision` of the recipe."""
    if precision == "fp32":
        return green("precision", "fp32 works everywhere")
    if uses_gpu(device, processor):
        old = [gpu.name for gpu in processor.gpus if not gpu.bf16]
        if not old:
            return green("precision", "bf16, which the GPU computes itself")
        remedy = 'set train.precision = "fp32", or take a GPU of 2020 or later (Ampere)'
        return yellow("precision", f"{old[0]} only emulates bf16: slow", remedy)
    return yellow("precision", "bf16 on a CPU: slower than fp32 on most", 'set train.precision = "fp32"')


def check_threads(processor: Processor, environment: Mapping[str, str], allowed: float | None = None) -> Finding:
    """Threads of torch against the cores that this process may keep busy. Given: allowed, these cores; None looks."""
    allowed = cores() if allowed is None else allowed
    named = environment.get("OMP_NUM_THREADS")
    told = f"{processor.threads} for {allowed:g} cores" + (f" (OMP_NUM_THREADS={named})" if named else "")
    if processor.threads > max(1.0, allowed):
        remedy = f"export OMP_NUM_THREADS={max(1, int(allowed))}: more threads than cores wait for each other"
        return yellow("threads", told, remedy)
    if processor.threads * 2 < allowed and not processor.gpus and "WORLD_SIZE" not in environment:
        return yellow("threads", told, f"export OMP_NUM_THREADS={int(allowed)}, or unset it")
    return green("threads", told)


def check_processes(environment: Mapping[str, str], processor: Processor) -> Finding:
    """What a launcher (torchrun, accelerate) put into the environment, or what is left there by mistake."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
    have = {name: environment[name] for name in names if environment.get(name)}
    told = ", ".join(f"{name}={value}" for name, value in have.items())
    remedy = "start with torchrun --nproc_per_node N -m kathrine run RECIPE, or unset these variables"
    if not have:
        return green("processes", "one, and no launcher's variables in the environment")
    wrong = [name for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_PORT") if not have.get(name, "0").isdigit()]
    if wrong:
        return red("processes", f"{', '.join(wrong)}: not a number ({told})", remedy)
    rank, count = int(have.get("RANK", 0)), int(have.get("WORLD_SIZE", 1))
    missing = [name for name in names if name not in have]
    if ("RANK" in have) != ("WORLD_SIZE" in have) or (count > 1 and missing):
        return red("processes", f"{told}, without {', '.join(missing)}: it would wait for others for ever", remedy)
    if rank >= count:
        return red("processes", f"RANK={rank} of WORLD_SIZE={count}: ranks go from 0 to {count - 1}", remedy)
    local = int(have.get("LOCAL_RANK", 0))
    if processor.gpus and local >= len(processor.gpus):
        remedy = "start no more processes on a machine than it has GPUs"
        return red("processes", f"LOCAL_RANK={local}, and there are {len(processor.gpus)} GPUs", remedy)
    interface = environment.get("NCCL_SOCKET_IFNAME", "").strip("^=").split(",")[0]
    if interface and not any(name.startswith(interface) for name in os.listdir("/sys/class/net")):  # noqa: PTH208
        remedy = f"name one of {', '.join(sorted(os.listdir('/sys/class/net')))}"  # noqa: PTH208
        return red("processes", f"NCCL_SOCKET_IFNAME={interface}: there is no such interface", remedy)
    return green("processes", told)
