"""Start-up noise: after a deploy of a service, what begins within a short time is counted and not announced.

The mute is a silence that nobody made. It covers what began since the deploy, never what was going on before, and never
what is critical; what is still seen when the time is over is told then, with all that was kept quiet.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from tocsin.core.incidents.silences import Silence
from tocsin.core.model import Change, ChangeKind

if TYPE_CHECKING:
    from tocsin.core.config.settings import Settings

_DEPLOYS: Final = (ChangeKind.CODE, ChangeKind.ALIAS)
_FAILED: Final = ("FAILED", "ROLLBACK", "DELETE")
"""What a stack's status says of an update that did not come out: then noise is not the start of anything."""


def startup_silences(service: str, changes: Iterable[Change], settings: Settings) -> tuple[Silence, ...]:
    """The mutes that deploys of a service begin; none where its settings ask for none.

    A stack that no service claims deploys nobody here: it would mute everybody.

    Args:
        service: The service.
        changes: What is known to have changed, of any service.
        settings: Which stack and function is whose, and for how long.
    """
    span = settings.after_deploy(service)
    if not span:
        return ()
    return tuple(
        Silence(
            id=f"after-deploy-{change.what}"[:64],
            expires_at=change.at + span,
            reason=f"start-up noise after a deploy of {change.what}",
            author="services.after_deploy",
            created_at=change.at,
            service=service,
            startup_noise=True,
        )
        for change in changes
        if _deploys(change, service, settings)
    )


def _deploys(change: Change, service: str, settings: Settings) -> bool:
    if change.kind is ChangeKind.STACK:
        failed = any(word in change.status for word in _FAILED)
        return not failed and service in settings.services_of_stack(change.what)
    return change.kind in _DEPLOYS and settings.service_of_function(change.what) == service
