"""Endpoints while they change: updates under load, rollbacks, and a service that is killed."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from sagemaker_kit import serving
from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service
from sagemaker_kit.serving import ask, ask_again, deploy, in_service, make_model, until, variant
from sagemaker_kit.traffic import Load, configure, update


@pytest.fixture
def service(start_service: Callable[..., Service], tmp_path: Path) -> Service:
    """A service that knows the tests' model image."""
    return start_service("--image", str(serving.image(tmp_path / "image")))


def test_an_update_under_load_fails_no_request(service: Service) -> None:
    """Clients that never pause see the old model, then the new one, and no error between."""
    make_model(service, "old")
    make_model(service, "new")
    deploy(service, "flights", variant("old", count=2))
    configure(service, "next", variant("new", "other"))
    previous = {ask(service, "flights", "who")["pid"] for _ in range(4)}
    load = Load(service.url, clients=4)
    try:
        until(lambda: load.seen[200, "old"] > 20, "traffic to the old model")
        update(service, "next")
        assert service.sagemaker.describe_endpoint(EndpointName="flights")["EndpointStatus"] in {
            "Updating",
            "InService",
        }
        in_service(service, "flights")
        count = load.seen[200, "new"]
        until(lambda: load.seen[200, "new"] > count + 20, "traffic to the new model")
    finally:
        seen = load.stop()

    assert set(seen) == {(200, "old"), (200, "new")}
    described = service.sagemaker.describe_endpoint(EndpointName="flights")
    assert described["EndpointConfigName"] == "next"
    assert [item["VariantName"] for item in described["ProductionVariants"]] == ["other"]
    until(lambda: not [pid for pid in previous if Path(f"/proc/{pid}").exists()], "the old fleet's end")


def test_a_failed_update_is_rolled_back_with_its_reason(service: Service) -> None:
    """The endpoint stays in service as it was, with the reason, and no request fails."""
    make_model(service, "old")
    make_model(service, "broken", {"CRASH": "no such feature: wind"})
    deploy(service, "flights", variant("old"))
    configure(service, "next", variant("broken"))
    pid = ask(service, "flights", "who")["pid"]
    load = Load(service.url, clients=2)
    try:
        update(service, "next")
        in_service(service, "flights")
    finally:
        seen = load.stop()

    described = service.sagemaker.describe_endpoint(EndpointName="flights")
    assert set(seen) == {(200, "old")}
    assert described["EndpointConfigName"] == "flights"
    assert "rolled back" in described["FailureReason"]
    assert "no such feature: wind" in described["FailureReason"]
    assert ask(service, "flights", "who")["pid"] == pid


def test_a_good_update_after_a_failed_one_clears_the_reason(service: Service) -> None:
    """FailureReason belongs to the last change alone."""
    make_model(service, "old")
    make_model(service, "new")
    make_model(service, "broken", {"CRASH": "x"})
    deploy(service, "flights", variant("old"))
    configure(service, "worse", variant("broken"))
    configure(service, "better", variant("new"))
    for config in ("worse", "better"):
        update(service, config)
        in_service(service, "flights")

    described = service.sagemaker.describe_endpoint(EndpointName="flights")
    assert described["EndpointConfigName"] == "better"
    assert "FailureReason" not in described
    assert ask(service, "flights", "who")["name"] == "new"


def test_an_update_in_progress_refuses_another(service: Service) -> None:
    """Only one change runs at a time; deleting is always possible."""
    make_model(service, "old")
    make_model(service, "never", {"PING_STATUS": "503"})
    deploy(service, "flights", variant("old"))
    configure(service, "next", variant("never"))
    update(service, "next")
    with refused("ValidationException", "endpoint/flights"):
        update(service, "next")
    assert ask(service, "flights", "who")["name"] == "old"

    service.sagemaker.delete_endpoint(EndpointName="flights")
    waiter = service.sagemaker.get_waiter("endpoint_deleted")
    waiter.wait(EndpointName="flights", WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})


def test_retained_properties_outlast_an_update(service: Service) -> None:
    """RetainAllVariantProperties keeps weights and counts that were changed in place."""
    make_model(service, "old")
    make_model(service, "new")
    deploy(service, "flights", variant("old"))
    service.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="flights",
        DesiredWeightsAndCapacities=[
            {"VariantName": "main", "DesiredWeight": 5.0, "DesiredInstanceCount": 2}
        ],
    )
    in_service(service, "flights")
    configure(service, "next", variant("new"))
    update(service, "next", RetainAllVariantProperties=True)
    in_service(service, "flights")

    (main,) = service.sagemaker.describe_endpoint(EndpointName="flights")["ProductionVariants"]
    assert (main["CurrentWeight"], main["CurrentInstanceCount"]) == (5.0, 2)
    assert ask(service, "flights", "who")["name"] == "new"


def test_containers_are_adopted_after_a_kill(service: Service) -> None:
    """The processes go on without the service, and the next service adopts them."""
    make_model(service, "old")
    deploy(service, "flights", variant("old", count=2))
    before = {ask(service, "flights", "who")["pid"] for _ in range(4)}
    service.restart()
    ask_again(service, "flights")
    in_service(service, "flights")

    assert {ask(service, "flights", "who")["pid"] for _ in range(4)} == before


def test_containers_that_died_with_the_service_are_started_again(service: Service) -> None:
    """After a power cut the endpoint comes back with new processes."""
    make_model(service, "old")
    deploy(service, "flights", variant("old"))
    pid = ask(service, "flights", "who")["pid"]
    service.kill()
    os.kill(pid, signal.SIGKILL)
    service.start()

    again = ask_again(service, "flights")
    assert (again["name"], again["model"]) == ("old", "old")
    assert again["pid"] != pid


def test_a_creation_goes_on_after_a_kill(service: Service) -> None:
    """An endpoint that is Creating when the service is killed becomes InService after the restart."""
    make_model(service, "old")
    configure(service, "flights", variant("old"))
    service.sagemaker.create_endpoint(EndpointName="flights", EndpointConfigName="flights")
    service.restart()
    in_service(service, "flights")

    assert ask(service, "flights", "who")["name"] == "old"


def test_an_update_goes_on_after_a_kill(service: Service) -> None:
    """The old fleet serves while the rollout is repeated; it is neither lost nor doubled."""
    make_model(service, "old")
    make_model(service, "never", {"PING_STATUS": "503"})
    deploy(service, "flights", variant("old"))
    pid = ask(service, "flights", "who")["pid"]
    configure(service, "next", variant("never"))
    update(service, "next")
    service.restart()

    assert ask_again(service, "flights")["pid"] == pid
    assert service.sagemaker.describe_endpoint(EndpointName="flights")["EndpointStatus"] == "Updating"
    service.sagemaker.delete_endpoint(EndpointName="flights")
    waiter = service.sagemaker.get_waiter("endpoint_deleted")
    waiter.wait(EndpointName="flights", WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})


def test_a_stopped_service_leaves_no_container_and_brings_endpoints_back(service: Service) -> None:
    """After a normal stop no container runs; after a start the endpoint serves again."""
    make_model(service, "old")
    deploy(service, "flights", variant("old"))
    pid = ask(service, "flights", "who")["pid"]
    service.stop()
    assert not Path(f"/proc/{pid}").exists()
    service.start()

    assert ask_again(service, "flights")["name"] == "old"


def test_a_container_that_ignores_sigterm_is_killed_at_the_end(service: Service) -> None:
    """A stubborn container does not outlive a stopping service."""
    make_model(service, "deaf", {"DEAF": "1"})
    deploy(service, "flights", variant("deaf"))
    pid = ask(service, "flights", "who")["pid"]
    service.stop()

    assert not Path(f"/proc/{pid}").exists()
