"""Python 3.11.0 to 3.11.3 unpack as safely, though their tarfile has no filters; Debian 12 ships one."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from include.core import archives


def archive(name: str, *, link: str = "") -> tarfile.TarFile:
    """An archive of one file, or one link, of that name."""
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.mode = 0o4777
        member.size = 0 if link else 5
        member.type, member.linkname = (tarfile.SYMTYPE, link) if link else (tarfile.REGTYPE, "")
        tar.addfile(member, io.BytesIO(b"" if link else b"hello"))
    body.seek(0)
    return tarfile.open(fileobj=body)


@pytest.fixture(autouse=True)
def _no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(tarfile, "data_filter")


@pytest.mark.filterwarnings("ignore:Python 3.14 will:DeprecationWarning")
def test_a_file_is_unpacked_without_its_special_bits(tmp_path: Path) -> None:
    """A plain file arrives, and nobody becomes its owner by running it."""
    archives.extract(archive("include/a.py"), tmp_path)
    path = tmp_path / "include/a.py"
    assert (path.read_bytes(), path.stat().st_mode & 0o7777) == (b"hello", 0o755)


@pytest.mark.parametrize(("name", "link"), [("../a.py", ""), ("/tmp/a.py", ""), ("a", "/etc/passwd")])  # noqa: S108
def test_what_leads_out_of_the_folder_is_refused(tmp_path: Path, name: str, link: str) -> None:
    """Nothing is written, inside or outside, when a member leads out or is a link."""
    with pytest.raises(tarfile.TarError, match=repr(name)):
        archives.extract(archive(name, link=link), tmp_path / "inside")
    assert list(tmp_path.rglob("*")) == []
