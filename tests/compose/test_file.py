"""docker-compose.yml keeps to what every Compose reads, and to what is safe."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
import yaml
from botocore import xform_name

from include.core.sagemaker.kinds import PROCESSING, TRAINING, TRANSFORM
from include.core.settings import PROJECT

TEXT = (PROJECT / "docker-compose.yml").read_text()
FILE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
AIRFLOW = sorted(
    name for name, service in SERVICES.items() if "AIRFLOW__CORE__EXECUTOR" in service.get("environment", {})
)
JOBS = (PROCESSING, TRAINING, TRANSFORM)
#: one command and its end
SHORT = {"airflow-init", "flywheel"}
#: must be the same in every container of Airflow, or tasks, logs or connections are refused
SHARED = (
    "AIRFLOW__API_AUTH__JWT_SECRET",
    "AIRFLOW__API__SECRET_KEY",
    "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
    "AIRFLOW__CORE__AUTH_MANAGER",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "AIRFLOW__CELERY__BROKER_URL",
    "AIRFLOW_CONN_AWS_DEFAULT",
    "AIRFLOW_CONN_LOCAL_SAGEMAKER",
    "FLYWHEEL_AWS_CONN_ID",
)


def keys(value: object) -> Iterator[str]:
    """Every key of a document, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)


def test_only_what_every_compose_reads() -> None:
    """1.29 knows neither a name nor an include at the top, nor options that came later."""
    top = {key for key in FILE if not key.startswith("x-")}
    assert top == {"services", "volumes", "networks"}
    assert {"start_interval", "ulimits", "develop", "extends"} & set(keys(SERVICES)) == set()
    assert [name for name, s in SERVICES.items() if not isinstance(s.get("env_file", ""), str)] == []


def test_no_default_stands_inside_a_default() -> None:
    """`${A:-${B:-c}}` means something else to 1.29."""
    assert re.findall(r"\$\{[^}]*\$\{", TEXT) == []


def test_the_parts_of_airflow_are_there() -> None:
    """The services that the page about production names."""
    assert AIRFLOW == [
        "airflow-apiserver",
        "airflow-dag-processor",
        "airflow-init",
        "airflow-scheduler",
        "airflow-triggerer",
        "airflow-worker",
        "flywheel",
    ]


@pytest.mark.parametrize("name", SHARED)
def test_a_shared_setting_is_the_same_everywhere(name: str) -> None:
    """All containers of Airflow have it, and have the same."""
    values = {SERVICES[service]["environment"][name] for service in AIRFLOW}
    assert len(values) == 1


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_is_published_on_the_loopback_alone(name: str) -> None:
    """Whoever wants more must say so; the local SageMaker runs code, and has no such setting."""
    ports = SERVICES[name].get("ports", [])
    prefix = ("127.0.0.1:",) if name == "local-sagemaker" else ("127.0.0.1:", "${AIRFLOW_BIND:-127.0.0.1}:")
    assert [port for port in ports if not port.startswith(prefix)] == []


@pytest.mark.parametrize("name", sorted(set(SERVICES) - SHORT))
def test_a_lasting_service_is_watched_and_started_again(name: str) -> None:
    """Each has a healthcheck that a busy machine passes, and comes back when it dies."""
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert {"test", "interval", "timeout", "start_period"} <= set(service["healthcheck"])


@pytest.mark.parametrize("name", [name for name in AIRFLOW if name not in SHORT])
def test_a_part_of_airflow_may_start_slowly(name: str) -> None:
    """An answer may take 30 seconds, and the start three minutes."""
    check = SERVICES[name]["healthcheck"]
    assert (check["timeout"], check["start_period"]) == ("30s", "180s")


def test_no_secret_has_a_default() -> None:
    """What protects something is made for each installation, or nothing starts."""
    names = re.findall(r"\$\{(\w*(?:PASSWORD|SECRET_KEY|SECRET|FERNET_KEY|ACCESS_KEY))([^}]*)\}", TEXT)
    assert {name for name, _ in names} == {
        "AIRFLOW_ADMIN_PASSWORD",
        "AIRFLOW_API_SECRET_KEY",
        "AIRFLOW_FERNET_KEY",
        "AIRFLOW_JWT_SECRET",
        "POSTGRES_PASSWORD",
        "REDIS_PASSWORD",
        "SAGEMAKER_SECRET_ACCESS_KEY",
    }
    assert [how for _, how in names if how.startswith((":-", "-"))] == []


def test_the_local_sagemaker_answers_airflow_alone() -> None:
    """It is reached from other containers, so it asks for the key that is in Airflow's connection."""
    service = SERVICES["local-sagemaker"]
    pair = [
        service["environment"][f"LOCAL_SAGEMAKER_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")
    ]
    connection = SERVICES["airflow-worker"]["environment"]["AIRFLOW_CONN_LOCAL_SAGEMAKER"]
    assert "--host=0.0.0.0" in service["command"]
    assert re.sub(r":\?[^}]*\}", "}", connection).startswith(f"aws://{pair[0]}:{pair[1]}@/?")


def test_a_job_cannot_reach_the_database() -> None:
    """Jobs run in the network of the local SageMaker, and the database and the broker are not in it."""
    assert set(SERVICES["local-sagemaker"]["networks"]) == {"jobs"}
    assert {name for name, s in SERVICES.items() if s["networks"] == ["airflow"]} == {"postgres", "redis"}


def test_nothing_is_privileged() -> None:
    """No container gets more than Docker's default, nor a folder of the machine."""
    assert {"privileged", "cap_add", "security_opt", "devices", "pid"} & set(keys(SERVICES)) == set()
    mounts = [volume for service in SERVICES.values() for volume in service.get("volumes", [])]
    assert {mount.split(":")[0] for mount in mounts} == set(FILE["volumes"])


@pytest.mark.parametrize("name", ["airflow-policy", "jobs-policy"])
def test_a_policy_gives_no_more_than_it_must(name: str) -> None:
    """No action is a pattern, and an action on everything is one that AWS lets nobody narrow."""
    policy = json.loads((PROJECT / f"docs/how-to/aws/{name}.json").read_text())
    on_all = set()
    for statement in policy["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert [action for action in actions if "*" in action] == []
        if statement["Resource"] == "*":
            on_all |= {action for action in actions if not action.startswith("sagemaker:List")}
    assert on_all <= {"cloudwatch:GetMetricData", "cloudwatch:PutMetricData", "ecr:GetAuthorizationToken"}


def test_airflow_may_do_what_its_operators_do() -> None:
    """Every operation of SageMaker that the plugin's code names is in Airflow's policy."""
    model = botocore.session.get_session().get_service_model("sagemaker")
    folders = (PROJECT / "plugins", PROJECT / "include/core")
    text = "".join(path.read_text() for folder in folders for path in folder.rglob("*.py"))
    words = set(
        re.findall(r"\w+", re.sub(r"\b(re|[A-Z_]+)\.search\(", "", text))
    )  # of patterns, not of SageMaker
    named = {name for name in model.operation_names if xform_name(name) in words}
    by_kind = {
        f"{verb}{kind.name.split()[0].title()}Job" for kind in JOBS for verb in ("Create", "Describe", "Stop")
    }
    policy = (PROJECT / "docs/how-to/aws/airflow-policy.json").read_text()
    assert {name for name in named | by_kind if f'"sagemaker:{name}"' not in policy} == set()
    assert {"CreateModel", "UpdateEndpoint"} <= named


def test_the_values_for_kubernetes_name_this_airflow() -> None:
    """The chart's values are YAML, for the version that the lock has."""
    values = yaml.safe_load((PROJECT / "docs/how-to/kubernetes/values.yaml").read_text())
    lock = (PROJECT / "requirements-production.txt").read_text()
    assert f"apache-airflow=={values['airflowVersion']} " in lock
    assert "celery==5.6.3 " in lock
