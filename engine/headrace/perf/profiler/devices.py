"""The GPUs of this machine: whether they are the ones asked for, what room they have, what runs them."""

import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from headrace.errors import HeadraceError
from headrace.perf.profiler.ranks import Ranks

LEFT_OUT_OF_NAMES = ("nvidia", "sxm", "hbm")
"""Words that one name has and another of the same GPU lacks: the vendor, and the form factor and the
kind of memory that the driver leaves out or numbers (SXM5, HBM3e)."""
RESERVED_BYTES = 4 * 2**30
"""Of each GPU, for the CUDA context, workspaces of the libraries and captured graphs: an assumption."""
HOST_SHARE = 0.7
"""Of the host's available memory, for pinned buffers."""
MEMINFO, CGROUP, CGROUPS = Path("/proc/meminfo"), Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
LIMITS = {"": "memory.max", "memory": "memory.limit_in_bytes"}
"""Files with the limit of a control group, version 2 and 1."""


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes that a profile may take."""

    gpu_bytes: int
    """On each GPU."""
    host_bytes: int
    """On the host, all processes together."""


def words(gpu: str) -> tuple[str, ...]:
    """What tells one GPU from another in a name: lower case, without vendor, form SXM and memory.

    "NVIDIA H100 80GB HBM3" and "NVIDIA H100 SXM 80 GB" give ("h100",), "NVIDIA H200 NVL" ("h200", "nvl").
    """
    found = re.split(r"[\s-]+", re.sub(r"\d+\s*gi?b\b", " ", gpu.lower()))
    return tuple(word for word in found if word and word.rstrip("0123456789e") not in LEFT_OUT_OF_NAMES)


def short_name(gpu: str) -> str:
    """`words` as one, as batch systems name GPUs: "h200", "h200_nvl"."""
    return "_".join(words(gpu))


def same_gpu(one: str, other: str) -> bool:
    """Whether two names are of one GPU: the same `words`, and the same memory size where both say it."""
    sizes = [re.search(r"(\d+)\s*gi?b\b", name.lower()) for name in (one, other)]
    same_size = None in sizes or sizes[0][1] == sizes[1][1]
    return set(words(one)) == set(words(other)) and same_size


def check_names(wanted: str, count: int, found: Sequence[str], place: object) -> None:
    """Raise HeadraceError unless the first `count` GPUs `found` are `wanted`."""
    if len(found) < count:
        raise HeadraceError(
            f"{place}: key tensor_parallel",
            f"{count} x {wanted} are needed, torch sees {len(found)}: {', '.join(found) or 'none'}",
            "a machine with enough GPUs, or an entry with a smaller tensor_parallel",
        )
    for name in found[:count]:
        if not same_gpu(wanted, name):
            raise HeadraceError(
                f"{place}: key gpu",
                f"the entry is for {wanted!r}, the GPU here is {name!r}",
                "profile it under an entry that names it; only vendor, SXM and memory may differ",
            )


def names(device: str, place: object) -> list[str]:
    """Names of the GPUs that torch sees. Raises HeadraceError when torch or transformers is missing, or
    the driver is too old for torch.
    """
    for package in ("torch", "transformers"):
        if find_spec(package) is None:
            raise HeadraceError(
                f"{place}: provider profiled",
                f"the package {package} is not installed",
                "install the extra headrace[profile] (envs/profile.yaml)",
            )
    if device == "cpu":
        return [platform.processor() or platform.machine()]
    import torch

    try:
        return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    except RuntimeError as error:
        raise HeadraceError(
            f"{place}: provider profiled",
            f"torch {torch.__version__} can't use the GPUs ({error})",
            "a driver that is new enough for it, or a build of torch for an older CUDA",
        ) from error


def all_room(device: str, tensor_parallel: int) -> Room:
    """What the first `tensor_parallel` GPUs (the least of them) and the host have when nothing else runs.

    Opens no GPU. On a CPU every process gets a share of the host's memory.
    """
    import torch

    host = int(available_bytes() * HOST_SHARE)
    if device == "cpu":
        return Room(host // (2 * tensor_parallel), host // 2)
    totals = [torch.cuda.get_device_properties(index).total_memory for index in range(tensor_parallel)]
    return Room(max(min(totals) - RESERVED_BYTES, 0), host)


def free_room(ranks: Ranks) -> Room:
    """What is free now on the ranks' GPUs (the least of them) and on the host: the same for all ranks."""
    import torch

    room = all_room("cuda" if ranks.device != "cpu" else "cpu", ranks.size)
    if ranks.device != "cpu":
        free, _ = torch.cuda.mem_get_info(ranks.device)
        room = Room(max(free - RESERVED_BYTES, 0), room.host_bytes)
    return Room(*ranks.least([room.gpu_bytes, room.host_bytes]))


def available_bytes() -> int:
    """Memory of the host that can be had: as Linux estimates it, but no more than the batch job or container
    may take.
    """
    text = MEMINFO.read_text(encoding="ascii")
    available = int(re.search(r"^MemAvailable:\s+(\d+) kB$", text, re.M)[1]) * 1024
    for line in CGROUP.read_text(encoding="utf-8").splitlines() if CGROUP.exists() else ():
        _, controller, path = line.split(":", 2)
        if controller in LIMITS:
            group = CGROUPS / controller / path.lstrip("/")
            for limit in (folder / LIMITS[controller] for folder in (group, *group.parents)):
                if limit.is_file() and (most := limit.read_text(encoding="ascii").strip()) != "max":
                    available = min(available, int(most))
    return available


def software(device: str) -> dict[str, object]:
    """Versions for the provenance; of a GPU also driver, and the limits of clocks and power by nvidia-smi."""
    import torch

    found: dict[str, object] = {name: version(name) for name in ("torch", "transformers")}
    if device == "cpu":
        return found
    found["cuda"] = torch.version.cuda
    keys = ("driver_version", "clocks.max.sm", "clocks.max.memory", "power.limit")
    values = ["unknown"] * len(keys)
    if shutil.which("nvidia-smi"):
        uuid = torch.cuda.get_device_properties(0).uuid
        command = ["nvidia-smi", f"--id=GPU-{uuid}", f"--query-gpu={','.join(keys)}", "--format=csv,noheader"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        answer = [value.strip() for value in done.stdout.strip().split(",")]
        if done.returncode == 0 and len(answer) == len(keys):
            values = answer
    return found | {key.replace(".", "_"): value for key, value in zip(keys, values, strict=True)}
