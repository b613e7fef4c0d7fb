"""A dense Llama-like transformer: its sizes, and the work of a forward pass that follows from them."""

from dataclasses import dataclass

from headrace.errors import HeadraceError, nearest
from headrace.perf.records import at_least

BYTES_OF_DTYPE = {"bfloat16": 2, "float16": 2, "float32": 4, "float8": 1}


@dataclass(frozen=True, slots=True)
class Model:
    """Architecture as in the model's own config.json (grouped-query attention, gated FFN, RMS norm)."""

    hub_names: tuple[str, ...]
    """Names on the model hub that have this architecture; the first one is the model itself."""
    dtype: str
    layers: int = at_least(1)
    hidden_size: int = at_least(1)
    attention_heads: int = at_least(1)
    kv_heads: int = at_least(1)
    head_dim: int = at_least(1)
    intermediate_size: int = at_least(1)
    vocab_size: int = at_least(1)
    max_context_tokens: int = at_least(1)
    aisimulate_name: str | None = None
    """The name under which the aisimulate package carries the architecture, where it does."""

    def check(self, place: str) -> None:
        """Raise HeadraceError for a dtype without a known size or for no hub name."""
        if self.dtype not in BYTES_OF_DTYPE:
            raise HeadraceError(
                f"{place}: key dtype", f"unknown {self.dtype!r}", nearest(self.dtype, BYTES_OF_DTYPE)
            )
        if not self.hub_names:
            raise HeadraceError(f"{place}: key hub_names", "it is empty", "one name or more")

    @property
    def dtype_bytes(self) -> int:
        """Bytes of a weight and of a KV cache element."""
        return BYTES_OF_DTYPE[self.dtype]

    @property
    def layer_parameters(self) -> int:
        """Parameters of all layers: attention projections, gated FFN, two norms."""
        attention = 2 * self.hidden_size * self.head_dim * (self.attention_heads + self.kv_heads)
        feed_forward = 3 * self.hidden_size * self.intermediate_size
        return self.layers * (attention + feed_forward + 2 * self.hidden_size)

    @property
    def head_parameters(self) -> int:
        """Parameters of the output projection; the input embedding has as many (weights not tied)."""
        return self.vocab_size * self.hidden_size

    @property
    def weight_bytes(self) -> int:
        """Bytes of all weights, on all GPUs together."""
        return self.dtype_bytes * (self.layer_parameters + 2 * self.head_parameters + self.hidden_size)

    @property
    def kv_bytes_per_token(self) -> int:
        """Bytes of the keys and values of one token, on all GPUs together."""
        return 2 * self.layers * self.kv_heads * self.head_dim * self.dtype_bytes

    @property
    def attention_flop_per_token_pair(self) -> int:
        """FLOP of one new token against one token of context: QK^T and PV, a multiply and an add each."""
        return 4 * self.layers * self.attention_heads * self.head_dim
