"""vLLM's own API server in a process of its own, with the plugin, as a user starts it."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

KEY = "right-key"
MODEL = "tiny"
MAX_MODEL_LEN = 2048
START_S = 240


class ApiServer:
    """A running server; `url`, and a client of plain HTTP with the right key."""

    def __init__(self, model_folder: Path, log: Path, headrace: dict):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.log = log
        arguments = {
            "--model": model_folder,
            "--served-model-name": MODEL,
            "--host": "127.0.0.1",
            "--port": port,
            "--dtype": "float32",
            "--max-model-len": MAX_MODEL_LEN,
            "--block-size": 32,
            "--num-gpu-blocks-override": 256,
            "--max-num-batched-tokens": 512,
            "--api-key": KEY,
            "--scheduler-cls": "headrace.vllm.scheduler.StreamScheduler",
            "--additional-config": json.dumps({"headrace": headrace}),
        }
        command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--enforce-eager"]
        command += ["--no-async-scheduling", *(str(word) for pair in arguments.items() for word in pair)]
        with log.open("w", encoding="utf-8") as out:
            self.process = subprocess.Popen(
                command, stdout=out, stderr=subprocess.STDOUT, env=os.environ | {"VLLM_PLUGINS": "headrace"}
            )
        self.http = httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60, trust_env=False
        )

    def wait(self) -> None:
        """Until it answers; AssertionError with the end of its log if it never does."""
        until = time.monotonic() + START_S
        while time.monotonic() < until and self.process.poll() is None:
            try:
                if self.http.get("/health").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.5)
        raise AssertionError(f"the server did not start:\n{self.log.read_text(encoding='utf-8')[-4000:]}")

    def serves(self) -> bool:
        """Whether it still answers an ordinary request."""
        body = {"prompt": [5, 6, 7], "max_tokens": 1}
        return self.http.post("/v1/completions", json=body).status_code == 200

    def stop(self) -> None:
        self.http.close()
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
