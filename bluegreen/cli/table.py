"""The commands, in the order a person meets them. Short helps stand here, so that ``--help`` imports no command."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """A command lives in its module as ``command``. ``shared``: it takes the global options."""

    section: str
    short: str
    shared: bool = True


def module_of(command: str) -> str:
    """``bluegreen.cli.NAME``, where a dash of the name is an underscore."""
    return f"bluegreen.cli.{command.replace('-', '_')}"


COMMANDS = {
    "deploy": Entry("Deploy", "Deploy a release: launch, test, shift, bake, teardown."),
    "rollback": Entry("Deploy", "Put all traffic back on blue, or redeploy the last known-good release."),
    "status": Entry("Ask", "Show the deployment under way, or the release that is live."),
    "history": Entry("Ask", "List a service's deployments, newest first."),
    "verify": Entry("Ask", "Check what a deploy would refuse, before it starts."),
    "hooks": Entry("Ask", "List a configuration's hooks, try one alone, report a deployment's results."),
    "pause": Entry("Steer", "Hold a deployment where it stands."),
    "resume": Entry("Steer", "Go on with a held deployment, or take over one that nobody drives."),
    "attend": Entry(
        "Steer", "Stay with a held deployment: roll it back when green dies, a gate fires or nobody decides."
    ),
    "promote": Entry("Steer", "Skip the remaining waits of a deployment."),
    "approve": Entry("Steer", "Say yes to the approval a deployment waits for."),
    "reject": Entry("Steer", "Say no to the approval a deployment waits for: it is rolled back."),
    "abort": Entry("Steer", "Stop a deployment and roll it back."),
    "init": Entry("Set up", "Write a configuration from a live ECS service."),
    "store": Entry(
        "Set up", "The state store: where deployments, their events and the services' locks are kept.", shared=False
    ),
    "iam-policy": Entry("Set up", "Print the least-privilege IAM policy for the configuration, as JSON."),
    "schema": Entry("Set up", "Print the configuration's JSON Schema (draft 2020-12), for editors.", shared=False),
    "sandbox": Entry("Set up", "A truthful local AWS: real tasks behind a real load balancer.", shared=False),
}
