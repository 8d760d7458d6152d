"""A free name can be used again at once, even while the previous endpoint is still being removed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from local_sagemaker.service import Options, build, running
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import OPERATIONS
from sagemaker_kit import serving

ROLE = "arn:aws:iam::000000000000:role/any"
ENDPOINT = {"EndpointName": "again", "EndpointConfigName": "one"}


async def ask(context: Context, name: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 (a request's members)
    """Carry out an operation of SageMaker's, as a request would."""
    handler: Any = OPERATIONS["sagemaker", name].handler
    if asyncio.iscoroutinefunction(handler):
        found: dict[str, Any] = await handler(context, parameters)
    else:
        found = await asyncio.to_thread(handler, context, parameters)
    return found


def test_an_endpoint_created_during_the_removal_of_its_namesake_is_kept(tmp_path: Path) -> None:
    """It is created after the previous one has left the store, and before its removal has ended."""

    async def scenario() -> None:
        parts = build(Options(root=tmp_path / "root", images=(serving.image(tmp_path / "image"),)))
        context = parts.context
        async with running(parts):
            model = {"Image": serving.IMAGE}
            await ask(context, "CreateModel", ModelName="m", PrimaryContainer=model, ExecutionRoleArn=ROLE)
            variants = [serving.variant("m")]
            await ask(context, "CreateEndpointConfig", EndpointConfigName="one", ProductionVariants=variants)
            await ask(context, "CreateEndpoint", **ENDPOINT)
            loop, real = asyncio.get_running_loop(), context.store.delete

            def delete(kind: str, name: str) -> bool:
                is_gone = real(kind, name)
                created = ask(context, "CreateEndpoint", **ENDPOINT)
                asyncio.run_coroutine_threadsafe(created, loop).result()
                return is_gone

            context.store.delete = delete  # type: ignore[method-assign]
            before = asyncio.all_tasks()
            await ask(context, "DeleteEndpoint", EndpointName="again")
            await asyncio.gather(*asyncio.all_tasks() - before, return_exceptions=True)
            assert context.store.get("endpoint", "again") is not None
            context.store.delete = real  # type: ignore[method-assign]
            await ask(context, "DeleteEndpoint", EndpointName="again")

    asyncio.run(asyncio.wait_for(scenario(), 60))
