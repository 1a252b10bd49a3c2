"""What is deployed, and what the service remembers of it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Release:
    """A task definition revision with what it came with.

    ``id`` is ``family:revision``, what a person types after ``--to``. ``images`` maps container to image.
    """

    id: str
    task_definition: str
    images: dict[str, str] = field(default_factory=dict)
    commit: str | None = None
    reason: str | None = None

    @property
    def label(self) -> str:
        """One line for a table: the release and the images' names and tags without their registries."""
        images = ", ".join(image.rsplit("/", 1)[-1] for image in self.images.values())
        return f"{self.id} ({images})" if images else self.id


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """What ``deploy`` was asked for. Exactly one of the three is the base of the new revision.

    ``images``: container → image over the live task definition. ``definition``: a RegisterTaskDefinition
    request. ``task_definition``: an ARN or ``family:revision`` that exists.
    """

    images: dict[str, str] = field(default_factory=dict)
    definition: dict[str, object] | None = None
    task_definition: str | None = None
    commit: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class KnownGood:
    """A release that passed its bake; ``at`` in epoch seconds.

    ``whole`` is what it was besides, in JSON-ready values: ``group`` (its target group's health check and attributes),
    ``routes`` (each production route's actions), ``scaling`` (the range of its desired count).
    """

    release: Release
    deployment: str
    at: float
    whole: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A release that was rolled back. ``fingerprint`` recognises it when it is registered again."""

    release: Release
    fingerprint: str
    deployment: str
    reason: str
    at: float
