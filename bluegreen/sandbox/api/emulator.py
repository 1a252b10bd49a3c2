"""The emulator's services as one WSGI application, with the sandbox's own where the emulator is not true."""

from __future__ import annotations

from typing import Any

from moto.core.config import default_user_config
from moto.ecs.models import ecs_backends
from moto.elb.responses import ELBResponse
from moto.elbv2.models import elbv2_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from bluegreen.sandbox.api.ecs import EcsBackend
from bluegreen.sandbox.api.ecs_answers import EcsResponse
from bluegreen.sandbox.api.elbv2 import Elbv2Backend, Elbv2Response
from bluegreen.sandbox.api.gateway import Wsgi
from bluegreen.sandbox.base import ACCOUNT, Balancer, Scheduler

_CLASSIC_ELB = "2012-06-01"


def install_backends(region: str) -> None:
    """Put our ECS and ELBv2 where everything in the process looks for them. Once, before they are first used."""
    ecs_backends[ACCOUNT][region] = EcsBackend(region, ACCOUNT)
    elbv2_backends[ACCOUNT][region] = Elbv2Backend(region, ACCOUNT)
    # Otherwise an execution of a state machine is begun and never ends.
    default_user_config["stepfunctions"]["execute_state_machine"] = True


def create_emulator(scheduler: Scheduler, balancer: Balancer) -> Wsgi:
    """Every service of the emulator, chosen by the request's signature."""

    def create_app(service: Any) -> Any:
        app = create_backend_app(service)
        # In debug mode Flask would answer its own errors; they are for the gateway to name.
        if service == "ecs":
            _answer_with(app, lambda: EcsResponse(scheduler))
        elif service in {"elb", "elbv2"}:
            _answer_with(app, lambda: Elbv2Response(balancer), classic=ELBResponse)
        return app

    return DomainDispatcherApplication(create_app)


def _answer_with(app: Any, make_response: Any, classic: Any = None) -> None:
    from moto.core.utils import convert_to_flask_response

    def dispatch(request: Any, *rest: Any) -> Any:
        if classic is not None and request.values.get("Version") == _CLASSIC_ELB:
            return classic.dispatch(request, *rest)
        return make_response()._dispatch(request, *rest)

    view = convert_to_flask_response(dispatch)
    for endpoint in app.view_functions:
        app.view_functions[endpoint] = view
