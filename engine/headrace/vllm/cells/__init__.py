"""Cells of a study on a real engine: the backend vllm."""
