"""Multi-model endpoints: archives below a prefix, loaded into one container when they are first asked for."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sagemaker_kit import serving
from sagemaker_kit.jobs import Lab
from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service
from sagemaker_kit.serving import ROLE, archive, ask, deploy, in_service, until, variant

#: a container of the contract, which has room for ROOM models, and answers with what it was told to do so far
SERVE = r"""
import json, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODELS, DONE = {}, []

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *words):
        pass

    def answer(self, status, found):
        body = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        name = self.path.rpartition("/")[2]
        self.answer(200 if self.path == "/ping" or name in MODELS else 404, {})

    def do_DELETE(self):
        name = self.path.rpartition("/")[2]
        DONE.append("unload " + MODELS[name])
        self.answer(200 if MODELS.pop(name, None) else 404, {})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if "CONTRACT" in os.environ:
            return self.answer(404, {})
        if self.path == "/models":
            given = json.loads(body)
            if len(MODELS) >= int(os.environ["ROOM"]):
                return self.answer(507, {})
            MODELS[given["model_name"]] = open(given["url"] + "/name.txt").read()
            DONE.append("load " + MODELS[given["model_name"]])
            return self.answer(200, {})
        _, models, name, invoke = self.path.split("/")
        assert (models, invoke) == ("models", "invoke"), self.path
        if name not in MODELS:
            return self.answer(404, {})
        self.answer(200, {"model": MODELS[name], "target": self.headers["X-Amzn-SageMaker-Target-Model"],
                          "done": DONE, "pid": os.getpid(), "mode": os.environ["SAGEMAKER_MULTI_MODEL"]})

ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""
TOML = 'uri = ["many-models:*"]\n[entry_points]\nserve = ["{python}", "-S", "-u", "{dir}/serve.py"]\n'


def put(service: Service, key: str, name: str) -> None:
    """Put an archive that holds a name below the prefix."""
    service.s3.put_object(Bucket="models", Key=f"many/{key}", Body=archive({"name.txt": name.encode()}))


@pytest.fixture
def service(start_service: Callable[..., Service], tmp_path: Path) -> Service:
    """A service with the endpoint `many`, whose container has room for two of three models."""
    folder = tmp_path / "many"
    folder.mkdir()
    (folder / "serve.py").write_text(SERVE, encoding="utf-8")
    (folder / "image.toml").write_text(TOML, encoding="utf-8")
    echo = serving.image(tmp_path / "echo")
    started = start_service("--image", str(folder / "image.toml"), "--image", str(echo))
    started.s3.create_bucket(Bucket="models")
    for name in "abc":
        put(started, f"{name}.tar.gz", name)
    make(started, "many", "many-models:1")
    deploy(started, "many", variant("many"))
    return started


def make(service: Service, name: str, image: str, **more: Any) -> None:
    """Create a model of the archives below the prefix."""
    container = {
        "Image": image,
        "Mode": "MultiModel",
        "ModelDataUrl": "s3://models/many/",
        "Environment": {"ROOM": "2"},
        **more,
    }
    service.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)


def test_models_are_loaded_when_they_are_asked_for(service: Service) -> None:
    """Once each; the one that was not asked for the longest makes room; a new object needs no update."""
    models = [ask(service, "many", "x", TargetModel=f"{name}.tar.gz")["model"] for name in "abaca"]
    assert models == list("abaca")
    answer = ask(service, "many", "x", TargetModel="b.tar.gz")
    assert answer["done"] == ["load a", "load b", "unload b", "load c", "unload c", "load b"]
    assert (answer["target"], answer["mode"]) == ("b.tar.gz", "true")
    put(service, "deep/er/d e.tar.gz", "new")
    assert ask(service, "many", "x", TargetModel="deep/er/d e.tar.gz")["model"] == "new"


def test_what_is_loaded_stays_loaded_over_a_restart(service: Service) -> None:
    """The container goes on with its models, and a container that ended begins without."""
    first = ask(service, "many", "x", TargetModel="a.tar.gz")
    service.restart()
    in_service(service, "many")

    def again() -> Any:
        try:
            return ask(service, "many", "x", TargetModel="a.tar.gz")
        except service.runtime.exceptions.ServiceUnavailable:
            return None

    answer = until(again, "an answer after the restart")
    assert (answer["pid"], answer["done"]) == (first["pid"], ["load a"])


def test_what_cannot_be_served_is_refused(service: Service) -> None:
    """Unknown and broken archives, no target, a target where there is one model, and streams."""
    service.s3.put_object(Bucket="models", Key="many/broken.tar.gz", Body=b"no archive")
    for target, words in (
        ("none.tar.gz", "s3://models/many/none.tar.gz"),
        ("broken.tar.gz", "Cannot unpack"),
    ):
        for _ in range(2):
            with refused("ValidationError", words):
                ask(service, "many", "x", TargetModel=target)
    with refused("ValidationError", "Give a TargetModel"):
        ask(service, "many", "x")
    with refused("ValidationError", "multi-model"):
        service.runtime.invoke_endpoint_with_response_stream(EndpointName="many", Body=b"x")
    serving.make_model(service, "single")
    deploy(service, "single", variant("single"))
    with refused("ValidationError", "Leave out TargetModel"):
        ask(service, "single", "x", TargetModel="a.tar.gz")
    assert ask(service, "many", "x", TargetModel="a.tar.gz")["model"] == "a"


def test_a_container_without_the_contract_is_a_model_error(service: Service) -> None:
    """It does not know POST /models."""
    make(service, "other", "many-models:1", Environment={"CONTRACT": "none"})
    deploy(service, "other", variant("other"))
    with refused("ModelError", "POST /models with 404", "contract"):
        ask(service, "other", "x", TargetModel="a.tar.gz")


def test_models_of_many_are_checked(service: Service) -> None:
    """What they lack, and where they are not emulated."""
    with refused("ValidationException", "ModelDataUrl"):
        service.sagemaker.create_model(ModelName="m", PrimaryContainer={"Image": "i", "Mode": "MultiModel"})
    with refused("ValidationException", "ModelCacheSetting=Disabled"):
        make(service, "m", "many-models:1", MultiModelConfig={"ModelCacheSetting": "Disabled"})
    make(service, "m", "many-models:1", MultiModelConfig={"ModelCacheSetting": "Enabled"})
    described = service.sagemaker.describe_model(ModelName="m")["PrimaryContainer"]
    assert (described["Mode"], described["ModelDataUrl"]) == ("MultiModel", "s3://models/many/")
    output = {"OutputConfig": {"S3OutputPath": "s3://models/async"}}
    with refused("ValidationException", "MultiModel"):
        deploy(service, "async", variant("m"), AsyncInferenceConfig=output)


def test_the_built_in_images_serve_many_models(start_service: Callable[..., Service]) -> None:
    """Two models of one algorithm in one container, each with its own answers."""
    lab = Lab(start_service())
    image = "382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1"
    rows = np.random.default_rng(1).normal(size=(60, 2))
    for name, factor in (("double", 2.0), ("triple", 3.0)):
        lines = [f"{factor * row[0]},{row[0]},{row[1]}" for row in rows]
        lab.s3.put_object(Bucket="lab", Key=f"{name}/rows.csv", Body="\n".join(lines))
        place = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://lab/{name}"}}
        lab.train(
            name,
            "",
            AlgorithmSpecification={"TrainingImage": image, "TrainingInputMode": "File"},
            HyperParameters={"predictor_type": "regressor"},
            InputDataConfig=[{"ChannelName": "train", "DataSource": place, "ContentType": "text/csv"}],
            Environment={},
        )
    assert {lab.trained(name)["TrainingJobStatus"] for name in ("double", "triple")} == {"Completed"}
    container = {"Image": image, "Mode": "MultiModel", "ModelDataUrl": "s3://lab/out/"}
    lab.sagemaker.create_model(ModelName="both", ExecutionRoleArn=ROLE, PrimaryContainer=container)
    deploy(lab.service, "both", variant("both"))
    for name, factor in (("double", 2.0), ("triple", 3.0)):
        answer = ask(lab.service, "both", "1,0", TargetModel=f"{name}/output/model.tar.gz")
        found = answer if isinstance(answer, dict) else json.loads(answer)
        assert found["predictions"][0]["score"] == pytest.approx(factor, abs=0.2)
