"""Whether the process lives, and whether it should be sent requests."""

from dataclasses import dataclass
from typing import Any

from service.models import Models


@dataclass
class Health:
    """The state behind ``/livez`` and ``/readyz``.

    An application exists only with a model that was read, verified and warmed
    up, so what can make it unready is that its worker is draining.
    """

    models: Models
    draining: bool = False

    @property
    def ready(self) -> bool:
        """Whether new requests are welcome."""
        return not self.draining

    def report(self, *, verbose: bool) -> dict[str, Any]:
        """The body of a readiness answer; ``verbose`` adds every check."""
        report: dict[str, Any] = {"status": "ready" if self.ready else "draining"}
        if verbose:
            artifact = self.models.classifier.artifact
            report["checks"] = {
                "model": f"{artifact.name} version {artifact.version} verified",
                "worker": "draining" if self.draining else "accepting",
            }
        return report
