"""fetch: tables from files, from HTTP and from S3, all there or refused."""

from __future__ import annotations

import hashlib
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest

from include.core.documents.manifest import InputFile, InputList, InputLists
from include.core.layout import INPUT_LISTS, LISTS_INPUT
from include.steps import fetch
from include.steps.contract import Step, digest
from include.steps.manifest import write_document
from tests.steps.container import Containers

NOW = datetime(2020, 1, 1, tzinfo=UTC)
HEADER = "station,time,known,country,temp,froze\n"
LINE = "A,2020-01-01T00:00:00Z,2020-01-01T00:30:00Z,US,-6.0,1\n"
TABLE = HEADER + LINE


class Server(BaseHTTPRequestHandler):
    """Answers /whole.csv, and /cut.csv with fewer bytes than promised."""

    def do_GET(self) -> None:
        """Answer one request."""
        if self.path not in {"/whole.csv", "/whole.csv?signature=secret", "/cut.csv"}:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("ETag", '"v1"')
        self.send_header("Last-Modified", "Wed, 01 Jan 2020 02:00:00 GMT")
        self.send_header("Content-Length", str(len(TABLE) + 1000 * (self.path == "/cut.csv")))
        self.end_headers()
        self.wfile.write(TABLE.encode())

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture
def server() -> Iterator[str]:
    """A web server on a free port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def zipped(path: Path, text: str) -> Path:
    """A zip file with one CSV file."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("readings.csv", text)
    return path


def plain(path: Path, text: str) -> Path:
    """A CSV file."""
    path.write_text(text)
    return path


def parquet(path: Path, text: str) -> Path:
    """A Parquet file."""
    header, line = text.splitlines()[:2]
    pd.DataFrame([dict(zip(header.split(","), line.split(","), strict=True))]).to_parquet(path)
    return path


@pytest.mark.parametrize(("name", "write"), [("a.csv", plain), ("a.csv.zip", zipped), ("a.parquet", parquet)])
def test_a_file_becomes_parquet_with_a_manifest(
    ice: Callable[[str], None],
    container: Containers,
    tmp_path: Path,
    name: str,
    write: Callable[[Path, str], Path],
) -> None:
    """CSV, zipped CSV and Parquet give the same table, described by the same kind of manifest."""
    ice(write(tmp_path / name, TABLE).as_uri())
    job = container("fetch")
    manifest = job.run("fetch")
    assert job.table("readings.parquet").to_csv(index=False) == TABLE
    assert manifest["counts"] == {"rows_in": 1, "rows_out": 1, "rows_quarantined": 0, "rows_duplicate": 0}
    assert [(file["name"], file["rows"]) for file in manifest["files"]] == [("readings.parquet", 1)]
    path = tmp_path / name
    written = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
    assert manifest["sources"] == [
        {
            "table": "readings",
            "uri": path.as_uri(),
            "rows": 1,
            "bytes": path.stat().st_size,
            "sha256": digest(path),
            "modified": written.isoformat(),
        }
    ]


def test_the_same_data_gives_the_same_bytes(
    ice: Callable[[str], None], container: Containers, tmp_path: Path
) -> None:
    """Two fetches of one file have one digest."""
    ice(plain(tmp_path / "a.csv", TABLE).as_uri())
    assert container("one").run("fetch")["digest"] == container("two").run("fetch")["digest"]


def test_a_file_comes_over_http(ice: Callable[[str], None], container: Containers, server: str) -> None:
    """A web server's file is fetched whole."""
    ice(f"{server}/whole.csv?signature=secret")
    manifest = container("fetch").run("fetch")
    assert manifest["counts"]["rows_out"] == 1
    assert manifest["sources"] == [
        {
            "table": "readings",
            # a query may be a signature
            "uri": f"{server}/whole.csv",
            "rows": 1,
            "bytes": len(TABLE),
            "sha256": hashlib.sha256(TABLE.encode()).hexdigest(),
            "etag": '"v1"',
            "modified": "2020-01-01T02:00:00+00:00",
        }
    ]


@pytest.mark.parametrize("place", ["readings", "."])
def test_a_file_in_s3_is_the_input_source(
    ice: Callable[[str], None], container: Containers, tmp_path: Path, place: str
) -> None:
    """An object is read from the job's input, below its table's name or beside the others."""
    ice("s3://raw/{start:%Y-%m-%d}.csv")
    (tmp_path / "source" / place).mkdir(parents=True)
    plain(tmp_path / "source" / place / "2020-01-01.csv", TABLE)
    job = container("fetch")
    job.link("source", tmp_path / "source")
    manifest = job.run("fetch")
    assert manifest["counts"]["rows_out"] == 1
    [source] = manifest["sources"]
    assert source["uri"] == "s3://raw/2020-01-01.csv"
    assert source["sha256"] == hashlib.sha256(TABLE.encode()).hexdigest()


def test_the_mark_of_an_object_is_kept(tmp_path: Path) -> None:
    """As the task that started the job saw it: ETag, and when it was written."""
    step = Step(name="fetch", cycle="ice", start=NOW, end=NOW, key="", base=tmp_path)
    file = InputFile(name="readings/a.csv", bytes=1, etag="e1", modified=NOW)
    lists = InputLists(inputs={"source": InputList(uri="s3://raw/", files=(file,))})
    write_document(step.input(LISTS_INPUT) / INPUT_LISTS, lists)
    (step.input("source") / "readings").mkdir(parents=True)
    path = plain(step.input("source") / "readings/a.csv", TABLE)
    assert fetch.locate(step, "readings", "s3://raw/a.csv", tmp_path) == (path, "e1", NOW)


@pytest.mark.parametrize(
    "uri",
    ["file:///nowhere/none.csv", "s3://raw/none.csv", "http://127.0.0.1:1/none.csv", "{server}/none.csv"],
)
def test_a_source_that_is_not_there_is_refused(
    ice: Callable[[str], None], container: Containers, server: str, uri: str
) -> None:
    """A missing file, object, page or server is named, with what to do."""
    uri = uri.format(server=server)
    ice(uri)
    message = container("fetch").refuse("fetch")
    assert uri in message
    assert "Check the cycle's source" in message


def test_an_unknown_scheme_is_refused(ice: Callable[[str], None], container: Containers) -> None:
    """Only the schemes that can be read are."""
    ice("ftp://somewhere/a.csv")
    assert "no s3, http, https or file URI" in container("fetch").refuse("fetch")


def test_a_download_that_ends_early_is_refused(
    ice: Callable[[str], None], container: Containers, server: str
) -> None:
    """Fewer bytes than promised are no table, even if every line in them is whole."""
    ice(f"{server}/cut.csv")
    message = container("fetch").refuse("fetch")
    assert "cut off" in message or "cannot be read" in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (HEADER.encode(), "no data in table readings of ice between 2020-01-01T00:00:00+00:00 and"),
        ((TABLE + "A,2020-01").encode(), "row 2: it has 2 values, the header has 6"),
        (TABLE.encode() + b"\xff\xfe,,,,,\n", "row 2: it has the byte 0xff, which is no UTF-8"),
        (
            TABLE.replace("temp", "heat").encode(),
            "lacks the column temp; it has station, time, known, country, heat",
        ),
    ],
)
def test_a_bad_csv_is_refused(
    ice: Callable[[str], None], container: Containers, tmp_path: Path, content: bytes, words: str
) -> None:
    """An empty, cut, undecodable or differently headed file, and one without rows, are refused in words."""
    (tmp_path / "a.csv").write_bytes(content)
    ice((tmp_path / "a.csv").as_uri())
    assert words in container("fetch").refuse("fetch")


@pytest.mark.parametrize(("name", "write"), [("a.csv", plain), ("a.csv.zip", zipped), ("a.parquet", parquet)])
def test_a_source_says_which_texts_mean_missing(
    ice: Callable[[str], None],
    container: Containers,
    tmp_path: Path,
    name: str,
    write: Callable[[Path, str], Path],
) -> None:
    """In every format."""
    ice(write(tmp_path / name, TABLE.replace("-6.0", "6").replace("US", "NA")).as_uri())
    path = tmp_path / "cycles/ice/cycle.py"
    path.write_text(re.sub(r"(FileSource\(.*?})", r'\1, missing=("NA", "A")', path.read_text()))
    job = container("fetch")
    job.run("fetch")
    assert job.table("readings.parquet")[["station", "country"]].isna().all(axis=None)


@pytest.mark.parametrize(("name", "write"), [("a.csv.zip", zipped), ("a.parquet", parquet)])
def test_a_truncated_file_is_refused(
    ice: Callable[[str], None],
    container: Containers,
    tmp_path: Path,
    name: str,
    write: Callable[[Path, str], Path],
) -> None:
    """A zip or a Parquet file whose end is missing is not used."""
    path = write(tmp_path / name, HEADER + LINE * 5000)
    path.write_bytes(path.read_bytes()[:-100])
    ice(path.as_uri())
    assert "damaged or cut off" in container("fetch").refuse("fetch")


def test_an_unknown_ending_is_refused(
    ice: Callable[[str], None], container: Containers, tmp_path: Path
) -> None:
    """A file is told by its ending."""
    ice(plain(tmp_path / "a.xlsx", TABLE).as_uri())
    assert "ends in '.xlsx'" in container("fetch").refuse("fetch")
