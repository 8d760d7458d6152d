"""S3 through s3fs, as pandas and pyarrow use it."""

from __future__ import annotations

from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import s3fs

from sagemaker_kit.service import Service


def test_s3fs_reads_and_writes(sagemaker: Service) -> None:
    """Folders, files, parts, ranges, copies, moves and removal work through s3fs."""
    fs = s3fs.S3FileSystem(key="a", secret="b", endpoint_url=sagemaker.url, skip_instance_cache=True)  # noqa: S106
    fs.mkdir("files")
    with fs.open("files/a/b.bin", "wb", block_size=5 * 1024 * 1024) as file:
        file.write(b"x" * (6 * 1024 * 1024))
    fs.pipe("files/a/c.txt", b"0123456789")
    fs.cp("files/a/c.txt", "files/d.txt")
    fs.mv("files/d.txt", "files/e.txt")
    fs.invalidate_cache()
    assert sorted(fs.find("files")) == ["files/a/b.bin", "files/a/c.txt", "files/e.txt"]
    assert fs.cat_file("files/a/c.txt", start=2, end=5) == b"234"
    assert fs.info("files/a/b.bin")["size"] == 6 * 1024 * 1024
    assert (fs.isdir("files/a"), fs.exists("files/none")) == (True, False)
    fs.rm("files/a", recursive=True)
    fs.invalidate_cache()
    assert fs.find("files") == ["files/e.txt"]


def test_pandas_reads_and_writes_parquet(sagemaker: Service) -> None:
    """By `s3://` and storage options: a file of many parts, some of its columns, a folder of partitions."""
    sagemaker.s3.create_bucket(Bucket="frames")
    options = {"key": "a", "secret": "b", "client_kwargs": {"endpoint_url": sagemaker.url}}
    rows = 700_000
    values = np.random.default_rng(1).random(rows)
    frame = pd.DataFrame({"id": np.arange(rows), "value": values, "month": np.arange(rows) % 3})
    frame.to_parquet("s3://frames/one.parquet", storage_options=options)
    assert sagemaker.s3.head_object(Bucket="frames", Key="one.parquet")["ContentLength"] > 5 * 1024 * 1024
    pd.testing.assert_frame_equal(pd.read_parquet("s3://frames/one.parquet", storage_options=options), frame)
    some = pd.read_parquet("s3://frames/one.parquet", columns=["month"], storage_options=options)
    assert list(some.columns) == ["month"]
    frame.head(9).to_parquet("s3://frames/by", partition_cols=["month"], storage_options=options)
    found = pd.read_parquet("s3://frames/by", filters=[("month", "=", 2)], storage_options=options)
    assert sorted(found["id"]) == [2, 5, 8]


def test_fsspec_brings_files_there_and_back(sagemaker: Service, tmp_path: Path) -> None:
    """Put and get of a folder, lines of a text file, ls with its details."""
    options = {"key": "a", "secret": "b", "endpoint_url": sagemaker.url, "skip_instance_cache": True}
    (tmp_path / "here/deep").mkdir(parents=True)
    (tmp_path / "here/deep/lines.txt").write_text("one\ntwo\n", encoding="utf-8")
    fs = fsspec.filesystem("s3", **options)
    fs.mkdir("lab")
    fs.put(str(tmp_path / "here"), "lab/copy", recursive=True)
    [entry] = fs.ls("lab/copy/deep", detail=True)
    assert (entry["name"], entry["size"], entry["type"]) == ("lab/copy/deep/lines.txt", 8, "file")
    with fsspec.open("s3://lab/copy/deep/lines.txt", "rt", **options) as file:
        assert [line.strip() for line in file] == ["one", "two"]
    fs.get("lab/copy", str(tmp_path / "there"), recursive=True)
    assert (tmp_path / "there/deep/lines.txt").read_text() == "one\ntwo\n"
