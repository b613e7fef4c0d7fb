"""One vLLM engine core in this process, whose scheduler is replaced between configurations.

A scheduler has no tie to the worker but the blocks it hands out, so that hundreds of configurations
(policy, eviction, prefix cache, pool) cost one start of the engine. Nothing runs by itself: whoever holds
the engine makes its steps, at its own times, on a clock of its own.
"""

import copy
from collections.abc import Sequence
from pathlib import Path

import pytest
from vllm import SamplingParams
from vllm.engine.arg_utils import EngineArgs
from vllm.v1.core.sched.scheduler import Scheduler
from vllm.v1.engine import EngineCoreOutput, EngineCoreRequest
from vllm.v1.engine.core import EngineCore
from vllm.v1.executor import Executor

from headrace.vllm.chunk import KEY, Chunk
from headrace.vllm.scheduler import StreamScheduler

BLOCK_SIZE = 32  # tokens; the CPU build takes multiples of it
BLOCKS, HOST_BLOCKS = 1024, 512
SLOTS, TOKEN_BUDGET, MAX_MODEL_LEN = 16, 512, 2048
STEP_S = 0.01
# A swap costs more than recomputing a few tokens and less than recomputing many.
COSTS = {"recompute_s": [0.0, 1e-4], "swap_s": [0.01, 1e-5]}


def engine_args(model_folder: Path, **more) -> EngineArgs:
    """How every engine of these tests is started."""
    options = {
        "model": str(model_folder),
        "skip_tokenizer_init": True,
        "dtype": "float32",
        "enforce_eager": True,
        "max_model_len": MAX_MODEL_LEN,
        "block_size": BLOCK_SIZE,
        "num_gpu_blocks_override": BLOCKS,
        "max_num_batched_tokens": TOKEN_BUDGET,
        "max_num_seqs": SLOTS,
        "disable_log_stats": True,
        "async_scheduling": False,
        "distributed_executor_backend": "uni",
    }
    return EngineArgs(**options | more)


def swap_connector(host_blocks: int) -> dict:
    """kv_transfer_config of a pool of so many host blocks."""
    return {
        "kv_connector": "SwapConnector",
        "kv_role": "kv_both",
        "kv_connector_module_path": "headrace.vllm.swap",
        "kv_connector_extra_config": {"host_blocks": host_blocks},
    }


def sampling(output_tokens: int = 1, chunk: Chunk | None = None, **more) -> SamplingParams:
    """Greedy, whatever the end-of-sequence token is."""
    return SamplingParams(
        max_tokens=output_tokens,
        temperature=0.0,
        ignore_eos=True,
        extra_args=chunk.extra_args() if chunk else None,
        **more,
    )


class Engine:
    """An EngineCore with the swap connector.

    `now_s` is the time of its scheduler: STEP_S a step. `reports` has what the last output of a request
    brought back, `tokens` what it sampled, `finished` why it ended.
    """

    def __init__(self, model_folder: Path, ranks: int = 1):
        more = {"tensor_parallel_size": ranks, "distributed_executor_backend": "mp"} if ranks > 1 else {}
        args = engine_args(model_folder, kv_transfer_config=swap_connector(HOST_BLOCKS), **more)
        with pytest.MonkeyPatch.context() as patch:
            # Without this the CPU build puts the worker into a process of its own, where a test can't reach.
            patch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
            self.config = args.create_engine_config()
        self.core = EngineCore(self.config, Executor.get_class(self.config), log_stats=False)
        self.first = self.core.scheduler
        self.configure(None)

    def configure(
        self,
        headrace: dict | None,
        blocks: int = BLOCKS - 1,
        host_blocks: int = HOST_BLOCKS,
        prefix_cache: bool = False,
        token_budget: int = TOKEN_BUDGET,
        slots: int = SLOTS,
        scheduler: type[Scheduler] = StreamScheduler,
    ) -> None:
        """A new scheduler of `blocks` usable blocks; headrace None: vLLM's own, without any of ours.

        Requests that the last one had left are dropped.
        """
        gone = {*self.scheduler.requests, *self.scheduler.finished_req_ids}
        config = copy.copy(self.config)
        config.cache_config = copy.copy(config.cache_config)
        config.cache_config.enable_prefix_caching = prefix_cache
        config.cache_config.num_gpu_blocks = blocks + 1
        config.scheduler_config = copy.copy(config.scheduler_config)
        config.scheduler_config.max_num_batched_tokens = token_budget
        config.scheduler_config.max_num_scheduled_tokens = token_budget
        config.scheduler_config.max_num_seqs = slots
        config.kv_transfer_config = copy.copy(config.kv_transfer_config)
        config.kv_transfer_config.kv_connector_extra_config = {"host_blocks": host_blocks}
        config.additional_config = {} if headrace is None else {KEY: {"costs": COSTS} | headrace}
        kv_cache = copy.copy(self.first.kv_cache_config)
        kv_cache.num_blocks = blocks + 1  # one is vLLM's null block
        self.core.scheduler = (Scheduler if headrace is None else scheduler)(
            vllm_config=config,
            kv_cache_config=kv_cache,
            structured_output_manager=self.core.structured_output_manager,
            block_size=BLOCK_SIZE,
            hash_block_size=BLOCK_SIZE,
        )
        self.blocks, self.now_s, self.steps = blocks, 0.0, 0
        self.tokens: dict[str, list[int]] = {}
        self.finished: dict[str, str] = {}
        self.reports: dict[str, dict] = {}
        self.gaps: dict[str, float] = {}
        if headrace is not None:
            self.scheduler.clock = lambda: self.now_s
        if gone:
            self.scheduler.finished_req_ids |= gone
            self.core.step()  # tells the worker

    @property
    def scheduler(self) -> Scheduler:
        return self.core.scheduler

    def add(self, request_id: str, prompt: Sequence[int], params: SamplingParams) -> None:
        """A request, or a chunk of one, on the way that it takes in the engine's own process."""
        sent = EngineCoreRequest(
            request_id=request_id,
            prompt_token_ids=list(prompt),
            mm_features=None,
            sampling_params=params,
            pooling_params=None,
            arrival_time=self.now_s,
            lora_request=None,
            cache_salt=None,
            data_parallel_rank=None,
        )
        self.core.add_request(*self.core.preprocess_add_request(sent))

    def open(
        self, request_id: str, prompt: Sequence[int], output_tokens: int = 1, final: bool = False
    ) -> None:
        """The first chunk of a stream; its id is the request's."""
        self.add(request_id, prompt, sampling(output_tokens, Chunk(stream=request_id, final=final)))

    def send(
        self, stream: str, index: int, prompt: Sequence[int], mode: str = "append", final: bool = False
    ) -> None:
        """A later chunk; no tokens: a closing one without any."""
        chunk = Chunk(stream=stream, index=index, mode=mode, final=final, empty=not prompt)
        self.add(f"{stream}#{index}", prompt or [0], sampling(1, chunk))

    def abort(self, request_id: str) -> None:
        self.core.abort_requests([request_id])

    def step(self) -> list[EngineCoreOutput]:
        """One step, also an idle one; its outputs."""
        self.now_s += STEP_S
        self.steps += 1
        outputs = [output for of_client in self.core.step()[0].values() for output in of_client.outputs]
        for output in outputs:
            known = self.tokens.setdefault(output.request_id, [])
            known += output.new_token_ids
            if output.new_logprobs is not None:
                two = output.new_logprobs.logprobs[:, 1:3]  # column 0 is the sampled token's
                gap = float((two[:, 0] - two[:, 1]).min())
                self.gaps[output.request_id] = min(gap, self.gaps.get(output.request_id, gap))
            if output.finish_reason is not None:
                assert output.request_id not in self.finished, f"{output.request_id} ended twice"
                self.finished[output.request_id] = str(output.finish_reason)
                self.reports[output.request_id] = (output.kv_transfer_params or {}).get(KEY)
        return outputs

    def run(self, most_steps: int = 2000) -> None:
        """Steps until nothing is left to do for what has come; AssertionError after too many."""
        for _ in range(most_steps):
            if not self.scheduler.has_requests():
                return
            self.step()
        raise AssertionError(f"unfinished after {most_steps} steps: {list(self.scheduler.requests.values())}")

    def leaked_blocks(self) -> int:
        """GPU and host blocks that are still held, with no request left."""
        while self.core.scheduler.has_requests():
            self.core.step()
        free = self.scheduler.kv_cache_manager.block_pool.get_num_free_blocks()
        pool = self.scheduler.connector
        assert self.scheduler.reset_prefix_cache() == (free == self.blocks)
        return self.blocks - free + pool.host_blocks - pool.host_free

    def shutdown(self) -> None:
        self.core.shutdown()
