"""A job that does what its argument `--do` says, and keeps the job contract's outward side."""
# ruff: noqa: T201 - a job's log is its standard output

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path

told = dict(zip(sys.argv[2::2], sys.argv[3::2], strict=True))
output = Path("/opt/ml/processing/output")

print("the first line")
if told["--do"] == "fail":
    Path("/opt/ml/output").mkdir(exist_ok=True)
    Path("/opt/ml/output/message").write_text("There is no data in table flights.")
    sys.exit("There is no data in table flights.")
if told["--do"] == "wait":
    while not Path(told["--until"]).exists():
        time.sleep(0.05)
content = b"42"
(output / "data.txt").write_bytes(content)
sha256 = hashlib.sha256(content).hexdigest()
files = [{"name": "data.txt", "rows": None, "bytes": len(content), "sha256": sha256}]
digest = hashlib.sha256(f"data.txt {sha256}\n".encode()).hexdigest()
counts = {"rows_in": 1, "rows_out": 1, "rows_quarantined": 0, "rows_duplicate": 0}
manifest = {"key": told["--key"], "files": files, "digest": digest, "counts": counts, "metrics": {"m": 1}}
manifest |= {"step": "probe", "cycle": told["--cycle"], "interval": [told["--start"], told["--end"]]}
if told["--do"] != "forget":
    (output / "manifest.json").write_text(json.dumps(manifest))
print("rows_in=1 rows_out=1")
