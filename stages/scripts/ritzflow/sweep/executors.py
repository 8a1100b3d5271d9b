"""What the workflow takes from no profile, and what Snakemake's executor plugins leave to it."""

import asyncio
from typing import Any

from snakemake.settings.types import RerunTrigger

CHECKPOINTS = "results/.checkpoints"


def trust_dates(workflow: Any) -> None:
    """Contents decide what is made again (plan.py); by its own record Snakemake would rerun finished jobs."""
    type(workflow).rerun_triggers = property(lambda _: frozenset([RerunTrigger.MTIME]))


def keep_checkpoints(workflow: Any) -> None:
    """Beside the results, where no profile says where: call it before the rules are read."""
    defaults = workflow.resource_settings._parsed_default_resources
    if "checkpoint_root" not in defaults:
        defaults["checkpoint_root"] = CHECKPOINTS


def settle(executor: Any) -> None:
    """The Slurm plugin asks `sacct` for an account whatever `slurm-no-account` says, and looks ever rarer
    whether jobs have ended: here at least once in `seconds-between-status-checks`."""
    settings = executor.workflow.executor_settings
    if getattr(settings, "no_account", False):
        executor._fallback_account_arg = ""
    if hasattr(settings, "init_seconds_before_status_checks"):
        longest = executor.workflow.remote_execution_settings.seconds_between_status_checks

        async def wait() -> None:
            await asyncio.sleep(min(executor.next_seconds_between_status_checks, longest))

        executor.sleep = wait
