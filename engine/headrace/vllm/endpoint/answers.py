"""Answers in the form of OpenAI's completions, with what the plugin counted beside the usage."""

from typing import Any

from headrace.streams.token import Completion, Delta
from headrace.vllm.endpoint.sessions import Session


def whole(session: Session, completion: Completion) -> dict[str, Any]:
    """A completion: choices with text and token_ids, usage, stream_metrics ("Report" in docs/vllm.md)."""
    return _object(session, _choice(completion)) | _counts(completion.report)


def piece(session: Session, delta: Delta) -> dict[str, Any]:
    """One piece of a streamed answer; the last one has usage and stream_metrics."""
    answer = _object(session, _choice(delta))
    return answer | _counts(session.stream.report) if delta.finish_reason is not None else answer


def _object(session: Session, choice: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": session.stream.id,
        "object": "text_completion",
        "created": session.created,
        "model": session.model,
        "choices": [choice],
    }


def _choice(answer: Completion | Delta) -> dict[str, Any]:
    return {
        "index": 0,
        "text": answer.text,
        "token_ids": list(answer.token_ids),
        "logprobs": None,
        "finish_reason": answer.finish_reason,
        "stop_reason": answer.stop_reason,
    }


def _counts(report: dict[str, Any]) -> dict[str, Any]:
    prompt, output = report["prompt_tokens"], report["output_tokens"]
    usage = {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output}
    return {"usage": usage, "stream_metrics": report}
