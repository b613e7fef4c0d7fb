"""What a profile plans and checks before it needs torch."""

import dataclasses
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.errors import HeadraceError
from headrace.perf import load_hardware, load_models
from headrace.perf.profiler import devices, run
from headrace.perf.profiler.devices import Room, check_names, same_gpu
from headrace.perf.profiler.grid import (
    activation_bytes,
    check_model,
    expected_s,
    make_grid,
    pinned_bytes,
    weight_bytes,
)
from headrace.perf.profiler.sections import spread, swap_block_s
from headrace.perf.step_fit import Pass, fit_step

ROOT = Path(__file__).parents[3]
HARDWARE, MODELS = ROOT / "config/hardware.yaml", ROOT / "config/models.yaml"
GIB = 2**30
LLAMA = load_models(MODELS)["llama-3.1-8b"]


@pytest.mark.parametrize(
    ("entry", "driver"),
    [
        ("NVIDIA H200 SXM", "NVIDIA H200"),
        ("NVIDIA H100 SXM 80 GB", "NVIDIA H100 80GB HBM3"),
        ("NVIDIA A100 SXM 80 GB", "NVIDIA A100-SXM4-80GB"),
        ("NVIDIA A40", "NVIDIA A40"),
        ("RTX A6000", "NVIDIA RTX A6000"),
    ],
)
def test_one_gpu_under_two_names(entry, driver):
    assert same_gpu(entry, driver) and same_gpu(driver, entry)


@pytest.mark.parametrize(
    ("entry", "driver"),
    [
        ("NVIDIA H200 SXM", "NVIDIA H200 NVL"),
        ("NVIDIA H200 SXM", "NVIDIA GH200 480GB"),
        ("NVIDIA H200 SXM", "NVIDIA H100 80GB HBM3"),
        ("NVIDIA H100 SXM 80 GB", "NVIDIA H100 PCIe"),
        ("NVIDIA A100 SXM 80 GB", "NVIDIA A100-SXM4-40GB"),
        ("NVIDIA A40", "NVIDIA A4000"),
        ("NVIDIA H100 SXM 80 GB", "NVIDIA H100 80GB HBM3 MIG 1g.10gb"),
    ],
)
def test_two_gpus_are_told_apart(entry, driver):
    assert not same_gpu(entry, driver) and not same_gpu(driver, entry)


def test_another_gpu_is_refused_with_both_names():
    with pytest.raises(HeadraceError) as error:
        check_names("NVIDIA H200 SXM", 2, ["NVIDIA H200", "NVIDIA H100 PCIe"], "hardware.yaml: h200-tp2")
    assert str(error.value) == (
        "hardware.yaml: h200-tp2: key gpu: the entry is for 'NVIDIA H200 SXM', the GPU here is "
        "'NVIDIA H100 PCIe'; profile it under an entry that names it; only vendor, SXM and memory may differ"
    )


def test_gpus_beyond_those_needed_may_be_others():
    check_names("NVIDIA H200 SXM", 1, ["NVIDIA H200", "NVIDIA T4"], "place")


@pytest.fixture
def gpus(monkeypatch):
    """Makes the machine have these GPUs, all with so many GiB."""

    def make(names, gib=139, host_gib=100):
        monkeypatch.setattr(devices, "names", lambda device, place: list(names))
        room = Room(int(gib * GIB), int(host_gib * GIB))
        monkeypatch.setattr(devices, "all_room", lambda device, tensor_parallel: room)

    return make


@pytest.mark.parametrize(
    ("hardware", "names", "gib", "line"),
    [
        ("h200-tp2", ["NVIDIA H200"], 139, "2 x NVIDIA H200 SXM are needed, torch sees 1: NVIDIA H200;"),
        ("h200-tp2", [], 139, "2 x NVIDIA H200 SXM are needed, torch sees 0: none;"),
        ("h200-tp2", ["NVIDIA A40", "NVIDIA A40"], 46, "the GPU here is 'NVIDIA A40';"),
        ("a40-tp1", ["NVIDIA A40"], 10, "needs 15.0 GiB on each of 1 GPUs, 10.0 GiB are free;"),
        ("h200-tp1", ["NVIDIA H200"], 139, "no entry 'h200-tp1'; did you mean 'h200-tp2'?"),
    ],
)
def test_what_cannot_be_profiled_is_refused_in_one_line(hardware, names, gib, line, gpus, tmp_path):
    gpus(names, gib)
    with pytest.raises(HeadraceError) as error:
        run(hardware, HARDWARE, MODELS, tmp_path / "out.json")
    assert line in str(error.value) and "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_model_is_refused(tmp_path):
    with pytest.raises(HeadraceError, match=r"models.yaml: no entry 'llama-3.1-80b'"):
        run("a40-tp1", HARDWARE, MODELS, tmp_path / "out.json", model="llama-3.1-80b")


def test_a_model_that_cannot_be_divided_is_refused():
    with pytest.raises(HeadraceError, match="kv_heads 8 of llama can't be divided by 16"):
        check_model(LLAMA, "llama", 16, "cuda", "place")


def test_a_dtype_that_flash_attention_does_not_take_is_refused():
    model = dataclasses.replace(LLAMA, dtype="float32")
    check_model(model, "llama", 1, "cpu", "place")
    with pytest.raises(HeadraceError, match="llama in float32 can't be profiled on cuda; one of bfloat16"):
        check_model(model, "llama", 1, "cuda", "place")


def test_too_little_host_memory_is_refused():
    with pytest.raises(HeadraceError, match=r"0\.0 GiB of host memory are too few for swaps"):
        make_grid(LLAMA, 1, Room(100 * GIB, 2**20), "place")


def test_a_pinned_buffer_is_a_power_of_two():
    assert [pinned_bytes(size) for size in (1, 4096, 4097, 2**34)] == [1, 4096, 8192, 2**34]
    # 320 KiB per token: 65,536 tokens are 20 GiB, for which torch pins 32.
    model = dataclasses.replace(LLAMA, layers=80)
    assert make_grid(model, 8, Room(135 * GIB, 31 * GIB), "place").swap[-1] == 32768
    assert make_grid(model, 8, Room(135 * GIB, 32 * GIB), "place").swap[-1] == 65536


@pytest.mark.parametrize(
    ("cgroup", "file", "limit", "gib"),
    [
        ("0::/slurm/job_1/step_0", "slurm/job_1/memory.max", str(48 * GIB), 48),
        ("0::/slurm/job_1", "slurm/job_1/memory.max", "max", 100),
        ("0::/", "memory.max", str(8 * GIB), 8),
        ("0::/", "memory.max", str(200 * GIB), 100),
        ("5:cpu:/\n4:memory:/slurm/job_1", "memory/slurm/job_1/memory.limit_in_bytes", str(48 * GIB), 48),
    ],
)
def test_a_batch_job_has_the_memory_it_asked_for(cgroup, file, limit, gib, tmp_path, monkeypatch):
    (tmp_path / "meminfo").write_text(f"MemTotal: 999 kB\nMemAvailable:   {100 * GIB // 1024} kB\n")
    (tmp_path / "cgroup").write_text(f"{cgroup}\n")
    (tmp_path / "cgroups" / file).parent.mkdir(parents=True)
    (tmp_path / "cgroups" / file).write_text(f"{limit}\n")
    for name in ("meminfo", "cgroup", "cgroups"):
        monkeypatch.setattr(devices, name.upper(), tmp_path / name)
    assert devices.available_bytes() == gib * GIB


def test_the_smallest_of_the_gpus_counts_and_a_part_of_it_is_kept_free(monkeypatch):
    sizes = [139 * GIB, 80 * GIB, 16 * GIB]
    cuda = SimpleNamespace(get_device_properties=lambda i: SimpleNamespace(total_memory=sizes[i]))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    monkeypatch.setattr(devices, "available_bytes", lambda: 100 * GIB)
    assert devices.all_room("cuda", 2) == Room(76 * GIB, 70 * GIB)


def test_a_driver_too_old_for_torch_is_one_line(monkeypatch):
    def refuse(index):
        raise RuntimeError("The NVIDIA driver on your system is too old\n(found version 12080).")

    cuda = SimpleNamespace(device_count=lambda: 1, get_device_name=refuse)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda, __version__="2.13.0"))
    monkeypatch.setattr(devices, "find_spec", lambda name: name)
    with pytest.raises(HeadraceError) as error:
        devices.names("cuda", "place")
    assert "torch 2.13.0 can't use the GPUs (The NVIDIA driver on your system is too old (found" in str(
        error.value
    )


def test_sizes_by_hand():
    # 32 layers x (2 x 4096 x 128 x 40 + 3 x 4096 x 14336 + 2 x 4096) parameters, two 128256 x 4096 matrices
    layers, matrix = 32 * (41_943_040 + 176_160_768 + 8_192), 525_336_576
    assert weight_bytes(LLAMA, 1) == 2 * (layers + 2 * matrix)
    assert weight_bytes(LLAMA, 2) == layers + 3 * matrix
    assert activation_bytes(LLAMA, 2) == 2 * (3 * 7168 + 8 * 4096)


def test_the_whole_grid_fits_two_h200():
    grid = make_grid(LLAMA, 2, Room(135 * GIB, 100 * GIB), "place")
    assert grid.recompute == grid.swap == tuple(2**power for power in range(4, 18))
    assert grid.left_out["recompute"] == grid.left_out["swap"] == []
    assert (256, 1, 4096) in grid.steps and [256, 1, 65536] in grid.left_out["step"]
    assert (1, 16384, 98304) in grid.steps
    assert grid.pool_tokens % 16 == 0 and grid.pool_tokens >= 256 * 4097


def test_a_profile_of_one_h200_stays_within_ten_minutes():
    hardware = dataclasses.replace(load_hardware(HARDWARE)["h200-tp2"], tensor_parallel=1)
    grid = make_grid(LLAMA, 1, Room(135 * GIB, 80 * GIB), "place")
    one_s = expected_s(grid, hardware, LLAMA)
    assert 200 < one_s < 500
    pair = dataclasses.replace(hardware, tensor_parallel=2)
    assert 100 < expected_s(grid, pair, LLAMA) < 0.75 * one_s


def test_long_prompts_are_left_out_of_a_small_gpu_and_named():
    grid = make_grid(LLAMA, 1, Room(40 * GIB, 4 * GIB), "place")
    assert grid.recompute[-1] == 65536 and grid.left_out["recompute"] == [131072]
    assert grid.swap[-1] == 32768 and grid.left_out["swap"] == [65536, 131072]


@given(
    gpu=st.integers(16 * GIB, 400 * GIB), host=st.integers(2**23, 400 * GIB), gpus=st.sampled_from([1, 2, 8])
)
def test_what_is_planned_fits(gpu, host, gpus):
    try:
        grid = make_grid(LLAMA, gpus, Room(gpu, host), "place")
    except HeadraceError:
        assert gpus == 1 or host < 2**24
        return
    kv = LLAMA.kv_bytes_per_token // gpus
    resident = weight_bytes(LLAMA, gpus) + grid.pool_tokens * kv
    widest = max([*grid.recompute, *(requests * new for requests, new, _ in grid.steps)])
    assert resident + widest * activation_bytes(LLAMA, gpus) <= gpu
    assert resident + grid.swap[-1] * kv <= gpu
    assert gpus * pinned_bytes(grid.swap[-1] * kv) <= host
    assert grid.pool_tokens >= max(grid.swap[-1], *(r * (n + c) for r, n, c in grid.steps))


def test_what_a_block_costs_beyond_a_batched_copy():
    # 1 and 2 and 4 blocks; 3 s per block and direction more, 5 s apart from it
    batched = {16: ([1.0], [2.0]), 32: ([2.0], [4.0]), 64: ([4.0, 4.0], [8.0])}
    per_block = {16: ([5.0], [14.0]), 32: ([8.0], [20.0]), 64: ([16.0], [30.0])}
    assert swap_block_s(per_block, batched) == 3.0
    assert swap_block_s(batched, per_block) == 0.0


def test_spread_by_hand():
    # standard deviations 1, 0 and 2 around means 10, 5 and 4
    points = [[9.0, 10.0, 11.0], [5.0, 5.0], [2.0, 4.0, 6.0]]
    assert spread(points) == {"median": 0.1, "max": 0.5}


def test_noise_gives_no_negative_rate():
    # Decodes that get faster with context, prefills that add 0.5 s per pair of tokens.
    decodes = [Pass(1, 1, 10, 5.0), Pass(1, 1, 30, 4.0)]
    prefills = [Pass(1, 2, context, 1.0 + 0.5 * 2 * (context + 1)) for context in (0, 9)]
    fit = fit_step(decodes + prefills)
    assert fit.decode_s_per_context_token == 0.0
    assert fit.attention_s_per_token_pair == pytest.approx(0.5)
    assert min(fit.dense_s) > 0


def test_the_command_without_torch_is_one_line(tmp_path):
    """A module that fails to be found stands for a package that is not installed."""
    code = (
        "import headrace.perf.profiler.devices as devices, runpy, sys;"
        "devices.find_spec = lambda name: None;"
        f"sys.argv = ['x', '--hardware=a40-tp1', r'--hardware-file={HARDWARE}', r'--models-file={MODELS}',"
        f" r'--out={tmp_path / 'out.json'}'];"
        "runpy.run_module('headrace.perf.profiler', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "provider profiled: the package torch is not installed; install the extra" in done.stderr
