"""Containers of an endpoint that nothing needs any more: a kill of the service cut their rollout short."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Collection
from pathlib import Path

from local_sagemaker.engine.endpoints.container import find
from local_sagemaker.engine.endpoints.replica_set import Plan

#: time between SIGTERM and SIGKILL, in seconds
GRACE_S = 5.0


async def stop_strays(folder: Path, plans: Collection[Plan]) -> None:
    """Stop every container below an endpoint's folder that belongs to none of `plans`, and forget it."""
    wanted = {
        folder / str(plan.generation) / variant.name / str(place)
        for plan in plans
        for variant in plan.variants
        for place in range(variant.count)
    }
    pools = {
        folder / str(plan.generation) / variant.name
        for plan in plans
        for variant in plan.variants
        if variant.serverless is not None
    }
    found = (await asyncio.to_thread(_all, folder)) - wanted
    strays = [workspace for workspace in found if workspace.parent not in pools]
    await asyncio.gather(*(asyncio.to_thread(_stop, workspace) for workspace in strays))


def _all(folder: Path) -> set[Path]:
    return {note.parent for note in folder.glob("*/*/*/container.json")}


def _stop(workspace: Path) -> None:
    found = find(workspace)
    if found is not None:
        process = found[0]
        process.terminate()
        if process.wait(GRACE_S) is None:
            process.kill()
            process.wait(GRACE_S)
    shutil.rmtree(workspace, ignore_errors=True)
