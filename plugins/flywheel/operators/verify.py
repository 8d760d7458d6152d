"""The step that proves the endpoint serves what was evaluated: verify."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from airflow.sdk import Context

from flywheel.links import version_page
from flywheel.operators.base import CycleOperator, Result
from include.core.documents.results import DeployResult, VerifyResult
from include.core.exceptions import OutputMissing, PredictionsDiffer
from include.core.layout import GOLDEN_ROWS
from include.core.sagemaker.inputs import read_output

#: by how much a score may differ: single precision in the exported model, double in the offline one
TOLERANCE = 1e-5
#: rows per request
BATCH_ROWS = 100


class VerifyOperator(CycleOperator):
    """Send the evaluation's golden rows to the live endpoint and compare with the offline predictions.

    :param tolerance: by how much a score may differ
    """

    step = "verify"

    def __init__(self, *, tolerance: float = TOLERANCE, **kwargs: Any) -> None:  # noqa: ANN401 - BaseOperator's own
        super().__init__(**kwargs)
        self.tolerance = tolerance

    def execute(self, context: Context) -> Result:
        """Fail on the first row that the endpoint answers otherwise."""
        deployed = self.result_of(context, "deploy", DeployResult)
        self.publish(context, version_page(self.cycle.name, deployed.version))
        uri = f"{deployed.evaluation_uri}{GOLDEN_ROWS}"
        golden = read_output(self.hook, uri, deployed.evaluation_digest or "") or b""
        rows = [json.loads(line) for line in golden.splitlines() if line.strip()]
        if not rows:
            raise OutputMissing(f"There are no golden rows in {uri} to verify with. Clear `evaluate`.")
        for start in range(0, len(rows), BATCH_ROWS):
            batch = rows[start : start + BATCH_ROWS]
            self._compare(uri, start, batch, self._ask(deployed.endpoint, [row["row"] for row in batch]))
        self.log.info("%d golden rows: the endpoint %s answers as offline", len(rows), deployed.endpoint)
        return self.result(VerifyResult, **{**vars(deployed), "uri": uri, "counts": {"rows": len(rows)}})

    def _ask(self, endpoint: str, rows: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the endpoint's answers, one for each row."""
        answer = self.hook.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=endpoint,
            ContentType="application/jsonlines",
            Accept="application/jsonlines",
            Body="".join(f"{json.dumps(row)}\n" for row in rows).encode(),
        )
        return [json.loads(line) for line in answer["Body"].read().splitlines() if line.strip()]

    def _compare(
        self, uri: str, start: int, expected: list[dict[str, Any]], actual: list[dict[str, Any]]
    ) -> None:
        if len(expected) != len(actual):
            raise PredictionsDiffer(
                f"The endpoint gave {len(actual)} answers to {len(expected)} golden rows of {uri}."
            )
        for number, (row, answer) in enumerate(zip(expected, actual, strict=True), start + 1):
            is_near = math.isclose(row["score"], answer["score"], rel_tol=0, abs_tol=self.tolerance)
            if not is_near or str(row["label"]) != str(answer["label"]):
                raise PredictionsDiffer(
                    f"Row {number} of {uri} differs by more than {self.tolerance}: offline label "
                    f"{row['label']}, score {row['score']}; endpoint label {answer['label']}, score "
                    f"{answer['score']}. The row: {json.dumps(row['row'])}. The served model or its features "
                    "are not the evaluated ones."
                )
