"""Below a timeline: KV blocks held, and new tokens of every step."""

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from matplotlib.transforms import Transform

from headrace.kv import Ledger
from headrace.sim.record import Step


def pools(pool: Axes, swap: list[Axes], steps: list[Step], ledger: Ledger) -> None:
    """Blocks held, in steps and between them, against the pool; `swap`: an axes for the host's."""
    time_s, held, in_host = [], [], []
    for step in steps:
        time_s += [step.start_s, step.end_s, step.end_s]
        held += [step.blocks, step.blocks, step.blocks_after]
        in_host += [step.host_blocks] * 3
    _area(pool, time_s, held, ledger.blocks)
    _limit(pool, ledger.blocks, f"pool: {ledger.blocks:,} blocks")
    pool.set_ylabel("KV blocks\non the GPU")
    for axes in swap:
        _area(axes, time_s, in_host, max(in_host, default=0) or 1)
        _label(axes, 1.0, f"host pool: {ledger.host_blocks:,} blocks", axes.transAxes)
        axes.set_ylabel("KV blocks\nswapped out")


def budget(axes: Axes, steps: list[Step], token_budget: int) -> None:
    """New tokens of every step against the token budget; nothing between steps."""
    time_s, tokens = [], []
    for step in steps:
        time_s += [step.start_s, step.end_s]
        tokens += [step.tokens, 0]
    _area(axes, time_s, tokens, token_budget)
    _limit(axes, token_budget, f"budget: {token_budget:,} tokens")
    axes.set_ylabel("new tokens\nper step")


def _area(axes: Axes, time_s: list[float], value: list[int], highest: int) -> None:
    """An area that keeps a value until the next one."""
    axes.fill_between(time_s, value, step="post", color="#56B4E9", linewidth=0)
    axes.set_ylim(0, highest * 1.12)
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 2.5, 5, 10]))


def _limit(axes: Axes, limit: int, text: str) -> None:
    axes.axhline(limit, color="black", linewidth=0.8, linestyle=(0, (4, 2)))
    _label(axes, limit, text, axes.get_yaxis_transform())


def _label(axes: Axes, y: float, text: str, transform: Transform) -> None:
    axes.text(0.995, y, text, ha="right", va="bottom", fontsize=6.5, transform=transform)
