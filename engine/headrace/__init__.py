"""Headrace: studies of LLM-serving schedulers, reproduced, checked and extended."""

__version__ = "0.1.0"
