"""S3 through s3fs, as pandas and pyarrow use it."""
# ruff: noqa: ANN401 (s3fs has no types)

from __future__ import annotations

from typing import Any

import s3fs


def test_s3fs_reads_and_writes(sagemaker: Any):
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
