"""The processes of a run: one, or as many as torchrun or `accelerate launch` started.

Two groups of them exist. The one that Accelerate opens carries gradients and sums of losses between devices.
A second one, always on the host, carries what the host knows (counts, a wish to stop) and waits as long as it
takes while rank 0 prepares, speaks or exports, which would run into the first one's timeout.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from kathrine.errors import KathrineError

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

PATIENCE = datetime.timedelta(days=7)
"""How long processes wait for rank 0. A process that fails ends the others through its launcher, not through
this."""


class Processes:
    """Rank, size and the few ways in which processes talk."""

    def __init__(self, accelerator: Accelerator) -> None:
        self.accelerator = accelerator
        self.rank: int = accelerator.process_index
        self.size: int = accelerator.num_processes
        self.device: torch.device = accelerator.device
        self._host = None
        if self.size > 1:
            import torch.distributed as dist

            self._host = dist.new_group(backend="gloo", timeout=PATIENCE)

    @classmethod
    def start(cls, device: str, precision: str) -> Processes:
        """Join the other processes, if there are any.

        Given: "auto", "cpu" or "cuda"; "bf16" or "fp32". Raises: KathrineError without the device asked for.
        """
        import torch
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState
        from accelerate.utils import DistributedDataParallelKwargs

        cuda = torch.cuda.is_available()
        if device == "cuda" and not cuda:
            raise KathrineError("run.device is cuda, but torch sees no CUDA device", 'set run.device = "auto" or "cpu"')
        # one interpreter may make several runs, each with its own precision; Accelerate keeps one state for
        # all
        AcceleratorState._reset_state(reset_partial_state=True)
        # parameters that a process had no use for get a gradient of zero from the step itself (see step.py)
        kwargs = DistributedDataParallelKwargs(find_unused_parameters=False)
        accelerator = Accelerator(
            cpu=device == "cpu" or not cuda,
            mixed_precision="bf16" if precision == "bf16" else "no",
            kwargs_handlers=[kwargs],
        )
        return cls(accelerator)

    @property
    def first(self) -> bool:
        return self.rank == 0

    def autocast(self) -> AbstractContextManager[Any]:
        return self.accelerator.autocast()

    def wait(self) -> None:
        """Until every process is here. Raises: KathrineError where another one has ended, which has said why."""
        if self._host is not None:
            import torch.distributed as dist

            try:
                dist.barrier(group=self._host)
            except RuntimeError as error:
                reason = (str(error).strip() or type(error).__name__).splitlines()[0]
                raise KathrineError(
                    f"process {self.rank} waited for the others, and one has ended ({reason})",
                    "what stopped it stands in what that one printed",
                ) from error

    def sum_on_host(self, numbers: Sequence[float]) -> list[float]:
        """Numbers that the host knows, added up over processes."""
        if self._host is None:
            return list(numbers)
        import torch
        import torch.distributed as dist

        vector = torch.tensor(list(numbers), dtype=torch.float64)
        dist.all_reduce(vector, group=self._host)
        return vector.tolist()

    def sum_on_device(self, vector: torch.Tensor) -> torch.Tensor:
        """A vector on the device, added up over processes, in place."""
        if self.size > 1:
            import torch.distributed as dist

            dist.all_reduce(vector)
        return vector

    def first_says(self, value: Any) -> Any:
        """What rank 0 gave, on every process. The value has to be what pickle carries between our own
        processes."""
        if self._host is None:
            return value
        import torch.distributed as dist

        box = [value if self.first else None]
        dist.broadcast_object_list(box, src=0, group=self._host)
        return box[0]

    def stop(self) -> None:
        """Leave in order. Not called after an error: the others may be waiting somewhere else."""
        if self.size > 1:
            import torch.distributed as dist

            self.wait()
            dist.destroy_process_group()


def launched_rank() -> int:
    """This process's number as its launcher gave it, without importing torch."""
    return int(os.environ.get("RANK", "0") or "0")
