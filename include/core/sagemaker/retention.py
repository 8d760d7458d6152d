"""How long captured traffic is kept, and the removal of what is older.

docs/explanation/adr/0009 tells why a task does it and no lifecycle rule of the bucket.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from include.core.cycle import Cycle
from include.core.exceptions import FlywheelError
from include.core.layout import Places, hour_folder, parse_place, split_uri
from include.core.sagemaker.captures import folders
from include.core.sagemaker.client import SageMaker
from include.core.settings import Settings

#: nothing but captured files of an hour is ever removed
CAPTURED = ("captured", "captured_batch")
#: objects that S3 deletes by one request
BATCH = 1000


class Expiry:
    """What was captured and is older than the cycle's `Monitoring.retention`.

    :param now: the moment that ages are counted from; by the hour of a request, never by a window
    """

    def __init__(self, hook: SageMaker, settings: Settings, cycle: Cycle, now: datetime) -> None:
        self.hook, self.settings, self.cycle, self.now = hook, settings, cycle, now

    def remove(self) -> int:
        """Remove every file whose hour has ended longer ago than files are kept; how many there were."""
        retention = self.cycle.monitoring.retention
        if retention is None:
            return 0
        limit = (self.now - retention).astimezone(UTC)
        return sum(self._remove_before(place, limit) for place in self.places())

    def places(self) -> Iterator[str]:
        """The folders below which captured files lie by the hour, as `s3://` URIs."""
        places = Places(self.settings.bucket, self.cycle.name)
        root = places.captured
        for endpoint in folders(self.hook, root):
            yield from (f"{root}{endpoint}{variant}" for variant in folders(self.hook, root + endpoint))
        yield from (f"{places.captured_batch}{kind}/" for kind in ("input", "output"))

    def _remove_before(self, place: str, limit: datetime) -> int:
        """Remove the files of the hours that ended by `limit`."""
        bucket, prefix = split_uri(place)
        end = f"{prefix}{hour_folder(limit)}/"
        old: list[str] = []
        pages = self.hook.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for key in (item["Key"] for page in pages for item in page.get("Contents", [])):
            if key >= end:
                break
            found = parse_place(key)
            if found is not None and found.kind in CAPTURED:
                old.append(key)
        for first in range(0, len(old), BATCH):
            self._delete(bucket, old[first : first + BATCH])
        return len(old)

    def _delete(self, bucket: str, keys: list[str]) -> None:
        """Delete objects; one that is gone already is none to complain about.

        :raises FlywheelError: S3 refuses
        """
        listed = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        errors = self.hook.s3.delete_objects(Bucket=bucket, Delete=listed).get("Errors", [])
        if errors:
            raise FlywheelError(
                f"{len(errors)} captured files cannot be removed, the first of them {errors[0]['Key']}: "
                f"{errors[0]['Code']}. Let the connection's identity delete objects below "
                f"{Places(bucket, self.cycle.name).captured.rstrip('/')}."
            )
