"""Requests of asynchronous endpoints in the store, and whether they have been answered."""

from dataclasses import replace
from pathlib import Path

from local_sagemaker.base import Service
from local_sagemaker.engine.endpoints import async_requests
from local_sagemaker.engine.endpoints.async_requests import AsyncRequest
from local_sagemaker.storage.objects.objects import ObjectStore
from local_sagemaker.storage.store import Store

REQUEST = AsyncRequest(
    id="0b1f",
    endpoint="later",
    headers={"content-type": "text/csv"},
    input_uri=None,
    body="YSxi",
    output_uri="s3://answers/good/0b1f.out",
    failure_uri="s3://answers/bad/0b1f-error.out",
    accepted=0.0,
    ttl_s=60,
    timeout_s=900,
)


def context(root: Path) -> Service:
    """A service with store and objects alone."""
    store = Store(root / "store.sqlite")
    return Service(root=root, url="", objects=ObjectStore(root / "s3"), store=store)


def test_requests_wait_in_the_order_they_came(tmp_path: Path) -> None:
    """There are more than one page of them, of two endpoints."""
    made = context(tmp_path)
    count = async_requests.PAGE + 3
    for number in range(count):
        owner = "later" if number % 2 else "other"
        async_requests.keep_request(
            made, replace(REQUEST, id=f"{number:x}", endpoint=owner, accepted=1e9 + number)
        )

    assert [name for _, name in async_requests.waiting_requests(made.store)] == [
        f"{n:x}" for n in range(count)
    ]
    assert len(async_requests.waiting_requests(made.store, "later")) == count // 2
    async_requests.forget_request(made.store, "1")
    assert async_requests.waiting_requests(made.store, "later")[0] == ("later", "3")
    loaded = async_requests.load_request(made, "0")
    assert loaded == replace(REQUEST, id="0", endpoint="other", accepted=1e9)
    made.store.close()


def test_an_existing_answer_is_recognised(tmp_path: Path) -> None:
    """A kill may come between the answer and the end of its request; a key of the client proves nothing."""
    made = context(tmp_path)
    assert not async_requests.is_answered(made.objects, REQUEST)
    made.objects.create_bucket("answers")
    assert not async_requests.is_answered(made.objects, REQUEST)
    made.objects.put_bytes("answers", "bad/0b1f-error.out", b"")
    made.objects.put_bytes("answers", "good/mine.csv", b"")

    assert async_requests.is_answered(made.objects, REQUEST)
    mine = replace(REQUEST, output_uri="s3://answers/good/mine.csv", failure_uri=None)
    assert not async_requests.is_answered(made.objects, mine)
    made.store.close()


def test_a_request_expires_by_its_own_time() -> None:
    """Counted from when it was accepted."""
    assert REQUEST.is_expired
    assert not replace(REQUEST, ttl_s=1e12).is_expired
