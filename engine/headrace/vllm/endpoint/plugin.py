"""The endpoint plugin: what vLLM's API server loads and asks for its routes."""

from argparse import Namespace

import vllm.envs as envs
from fastapi import FastAPI
from starlette.datastructures import State
from vllm.engine.protocol import EngineClient

from headrace.errors import HeadraceError
from headrace.vllm.endpoint import http, websocket
from headrace.vllm.endpoint.keys import Keys
from headrace.vllm.endpoint.origins import Origins
from headrace.vllm.endpoint.service import Service
from headrace.vllm.options import read_options

PATH = "/v1/stream"


class StreamEndpoint:
    """Entry point `headrace` of the group vllm.endpoint_plugins (vLLM loads it if VLLM_PLUGINS names it)."""

    name = "headrace"
    required_tasks = ("generate",)

    def attach_router(self, app: FastAPI) -> None:
        """Add the routes, before there is an engine."""
        app.add_api_route(PATH, http.open_stream, methods=["POST"])
        app.add_api_route(PATH + "/{id}", http.change_stream, methods=["POST"])
        app.add_api_route(PATH + "/{id}", http.show_stream, methods=["GET"])
        app.add_api_route(PATH + "/{id}", http.abort_stream, methods=["DELETE"])
        app.add_api_websocket_route(PATH, websocket.serve)

    async def init_state(self, engine_client: EngineClient | None, state: State, args: Namespace) -> None:
        """Connect the routes to the engine. Raises HeadraceError for a server that can't serve streams."""
        if getattr(args, "api_server_count", None) not in (None, 1):
            raise HeadraceError(
                "--api-server-count",
                f"{args.api_server_count} processes don't share their streams",
                "--api-server-count 1",
            )
        options = read_options(engine_client.vllm_config.additional_config)
        state.headrace = Service(
            engine_client,
            options.endpoint,
            models=args.served_model_name or [args.model],
            keys=Keys(args.api_key or [envs.VLLM_API_KEY]),
            origins=Origins(args.allowed_origins),
        )
