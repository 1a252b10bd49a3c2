"""The sandbox's ECS scheduler: follows what moto's backend asks for, with real processes.

Containers. Executables run on the host as they are: there is no image filesystem. Honoured in a container
definition: ``name image command entryPoint environment secrets essential dependsOn startTimeout stopTimeout healthCheck
portMappings workingDirectory``, ``logConfiguration`` with the driver ``awslogs`` (``awslogs.py``), and RunTask's
container overrides (command, environment). All else (cpu, memory, user, volumes, links, ulimits, other log drivers,
environmentFiles …) is accepted and has no effect. An image without
``command`` and ``entryPoint`` runs the stand-in service (``standin.py``).

Every container gets

    BIND_ADDRESS, HOST           the task's own address in 127.0.0.0/8: the one to listen on
    PORT                         the first containerPort of the container, when it has one
    BLUEGREEN_ADDRESS            as BIND_ADDRESS
    BLUEGREEN_IMAGE _TASK_ID _SERVICE _CONTAINER _SLOT     who it is; the slot is the target group's name
    ECS_CONTAINER_METADATA_URI_V4    answers ``/`` and ``/task`` in the task metadata endpoint's shape
    AWS_REGION, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL       the sandbox itself, with credentials that it takes
    PATH, HOME, LANG, TMPDIR     the host's; nothing else of the host's environment

unless its definition sets them. ``${BIND_ADDRESS}`` and ``${PORT}`` in the words of ``entryPoint``, ``command`` and
the health check's command are replaced, so that a program can be started without a shell.

An image whose name contains ``/does-not-exist`` or whose tag is ``nonexistent`` cannot be pulled
(CannotPullContainerError).
"""

from __future__ import annotations

from bluegreen.clock import Clock
from bluegreen.sandbox.base import Balancer, Nursery, Scheduler, Settings
from bluegreen.sandbox.scheduler.loop import EcsScheduler


def create_scheduler(settings: Settings, balancer: Balancer, nursery: Nursery, clock: Clock) -> Scheduler:
    """Not yet started. One for each sandbox, in the process that holds moto's backends."""
    return EcsScheduler(settings, balancer, nursery, clock)
