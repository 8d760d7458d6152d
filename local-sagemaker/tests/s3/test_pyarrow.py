"""pyarrow's own S3 client, which is AWS's SDK for C++: it reads and writes as on AWS."""

from __future__ import annotations

from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow import fs

from sagemaker_kit.service import Service

TABLE = pa.table({"id": pa.array([1, None, 9007199254740993], pa.int64()), "text": ["a", "b", "c"]})


def test_pyarrow_writes_lists_and_reads(sagemaker: Service) -> None:
    """A whole file, a range of one, a data set of several, and a copy."""
    sagemaker.s3.create_bucket(Bucket="lake")
    lake = fs.S3FileSystem(
        endpoint_override=urlsplit(sagemaker.url).netloc,
        scheme="http",
        access_key="local",
        secret_key="local",  # noqa: S106 (no secret)
        region="us-east-1",
    )
    pq.write_table(TABLE, "lake/one/part.parquet", filesystem=lake)
    assert pq.read_table("lake/one/part.parquet", filesystem=lake) == TABLE
    with lake.open_input_file("lake/one/part.parquet") as file:
        assert file.read_at(4, 0) == b"PAR1"
    ds.write_dataset(TABLE, "lake/many", format="parquet", partitioning=["text"], filesystem=lake)
    assert ds.dataset("lake/many", filesystem=lake, partitioning=["text"]).count_rows() == 3
    lake.copy_file("lake/one/part.parquet", "lake/two.parquet")
    assert {info.path for info in lake.get_file_info(fs.FileSelector("lake"))} == {
        *("lake/one", "lake/many", "lake/two.parquet")
    }
