"""What the endpoint plugin refuses when the server starts."""

import asyncio
from argparse import Namespace
from importlib.metadata import entry_points
from types import SimpleNamespace

import pytest
from vllm.plugins.endpoint_plugins.interface import EndpointPlugin
from vllm.v1.core.sched.scheduler import Scheduler

from headrace.errors import HeadraceError
from headrace.vllm.endpoint import StreamEndpoint
from headrace.vllm.scheduler import StreamScheduler


def start(scheduler=StreamScheduler, headrace=None, **arguments):
    config = SimpleNamespace(
        scheduler_config=SimpleNamespace(get_scheduler_cls=lambda: scheduler),
        additional_config={"headrace": headrace or {}},
    )
    state = SimpleNamespace()
    given = {"api_server_count": None, "served_model_name": None, "model": "folder/model"}
    given |= {"api_key": None, "allowed_origins": ["http://page"]}
    engine = SimpleNamespace(vllm_config=config)
    asyncio.run(StreamEndpoint().init_state(engine, state, Namespace(**given | arguments)))
    return state.headrace


def test_vllm_finds_it():
    (found,) = entry_points(group="vllm.endpoint_plugins", name="headrace")
    assert found.load() is StreamEndpoint
    assert isinstance(StreamEndpoint(), EndpointPlugin) and StreamEndpoint.name == found.name


def test_it_starts():
    service = start(served_model_name=["a", "b"], headrace={"endpoint": {"max_sessions": 3}})
    assert service.models == ["a", "b"] and service.limits.max_sessions == 3
    assert service.origins.allowed == {"http://page"}
    assert start().models == ["folder/model"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"scheduler": Scheduler}, "it runs vllm.v1.core.sched.scheduler.Scheduler"),
        ({"api_server_count": 2}, "2 processes don't share their streams; --api-server-count 1"),
        ({"headrace": {"endpoint": {"max_session": 3}}}, "did you mean 'max_sessions'"),
    ],
)
def test_servers_that_cant_serve_streams(options, told):
    with pytest.raises(HeadraceError) as caught:
        start(**options)
    assert told in str(caught.value)
