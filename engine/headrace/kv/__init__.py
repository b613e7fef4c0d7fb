"""Where KV blocks are: on the GPU or in host memory, and whose."""

from headrace.kv.ledger import Ledger, LedgerError

__all__ = ["Ledger", "LedgerError"]
