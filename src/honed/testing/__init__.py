"""For authors of tasks: ``check_task`` runs every promise of the contract against a task."""

from honed.testing.check_task import CHECKS, check_task

__all__ = ["CHECKS", "check_task"]
