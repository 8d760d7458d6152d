"""Every place in the bucket: where objects of a cycle lie, and what the key of an object says of it.

What is written here is also parsed here, and nowhere else. Loads the standard library alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from include.core.layout import CYCLE_NAME, Interval, is_s3, join_uri, split_uri


def entry_name(number: int) -> str:
    """Return the name of a journal's entry, such that names sort like numbers."""
    return f"{number:08d}.json"


def compacted(journal: str) -> str:
    """Return the prefix of the compacted segments of the journal at the prefix `<cycle>/<journal>/`."""
    cycle, _, name = journal.rstrip("/").rpartition("/")
    return f"{cycle}/volumes/{name}/"


@dataclass(frozen=True)
class Places:
    """The places of one cycle in a bucket, as `s3://` URIs. A folder ends with a slash.

    `split_uri` gives the bucket and the key or prefix of each.
    """

    bucket: str
    cycle: str

    @property
    def root(self) -> str:
        """The folder of all that is the cycle's own."""
        return join_uri(self.bucket, f"{self.cycle}/")

    # Outputs of steps

    def step(self, step: str) -> str:
        """Return the folder of a step's outputs; below it follow `<interval>/<key>/`."""
        return f"{self.root}{step}/"

    def outputs(self, step: str, interval: Interval) -> str:
        """Return the folder of a step's outputs for one interval; below it follows `<key>/`."""
        return f"{self.step(step)}{interval}/"

    def output(self, step: str, interval: Interval, key: str) -> str:
        """Return the folder of one output."""
        return f"{self.outputs(step, interval)}{key}/"

    def reproduction(self, key: str, job: str) -> str:
        """Return the folder of what a training that was repeated left."""
        return f"{self.root}reproduce/{key}/{job}/"

    # Inputs of jobs

    def code(self, digest: str) -> str:
        """Return the code archive with this digest; all cycles of a bucket share them."""
        return join_uri(self.bucket, f"code/{digest}.tar.gz")

    def key_record(self, key: str) -> str:
        """Return the record of what went into a key."""
        return f"{self.key_records}{key}.json"

    @property
    def key_records(self) -> str:
        """The folder of the keys' records."""
        return f"{self.root}keys/"

    def manifest_list(self, digest: str) -> str:
        """Return the list of files, as SageMaker reads it, whose content has this digest."""
        return f"{self.root}manifests/{digest}.json"

    def report_input(self, digest: str) -> str:
        """Return the folder of a report's input."""
        return f"{self.root}report-inputs/{digest}/"

    def replay_input(self, digest: str) -> str:
        """Return the folder of a replay's input."""
        return f"{self.root}replays/{digest}/"

    def plan(self, digest: str) -> str:
        """Return the folder of the plan for windows that are judged again."""
        return f"{self.root}plans/{digest}/"

    def input_lists(self, digest: str) -> str:
        """Return the folder of the list of all files that a job is given."""
        return f"{self.root}inputs/{digest}/"

    # Records

    @property
    def ledger(self) -> str:
        """The folder of the journal of decisions and promotions."""
        return f"{self.root}ledger/"

    @property
    def requests(self) -> str:
        """The folder of the journal of requests for retraining."""
        return f"{self.root}requests/"

    @property
    def watch(self) -> str:
        """The folder of the watch records and decisions; below it follows `<interval>/`."""
        return f"{self.root}watch/"

    def watch_record(self, window: Interval, key: str, number: int = 1) -> str:
        """Return the record of what the monitor with this key found; a later one has a number."""
        return f"{self.watch}{window}/{key}{_suffix(number)}.json"

    def watch_decision(self, window: Interval, digest: str, number: int = 1) -> str:
        """Return the record of a decision about retraining; a later one has a number."""
        return f"{self.watch}{window}/decisions/{digest}{_suffix(number)}.json"

    def rollout(self, config: str, attempt: str) -> str:
        """Return the record of how the trial of an endpoint configuration ended."""
        return f"{self.root}rollouts/{config}/{attempt}.json"

    # Traffic

    @property
    def captured(self) -> str:
        """The folder of what endpoints capture; below it follow `<endpoint>/<variant>/yyyy/mm/dd/hh/`."""
        return f"{self.root}captured/"

    @property
    def captured_batch(self) -> str:
        """The folder of what batch transforms capture; below it follow `input/` and `output/` by the hour."""
        return f"{self.root}captured-batch/"

    @property
    def ground_truth(self) -> str:
        """The folder of the ground truth; below it follow `yyyy/mm/dd/hh/`."""
        return f"{self.root}truth/"

    def traffic(self, interval: Interval, key: str, rows: int) -> str:
        """Return the record of traffic that was sent from the first rows of a prepared output."""
        return f"{self.root}traffic/{interval}/{key}-{rows}.json"


def _suffix(number: int) -> str:
    return f"-{number}" if number > 1 else ""


# Parsing


@dataclass(frozen=True)
class Place:
    """What a key of the bucket is: its kind, and the parts of its name."""

    #: a name of `_SHAPES`
    kind: str
    parts: Mapping[str, str]


_DAY = r"\d{4}-\d\d-\d\d(?:T\d\d-\d\d)?"
_INTERVAL = rf"(?P<interval>{_DAY}_{_DAY})"
_DIGEST = "[0-9a-f]{64}"
_HOUR = r"(?P<hour>\d{4}/\d\d/\d\d/\d\d)"
#: below a cycle's root; the first that fits counts
_SHAPES = {
    "key_record": rf"keys/(?P<key>{_DIGEST})\.json",
    "ledger_entry": r"ledger/(?P<number>\d{8})\.json",
    "request": r"requests/(?P<number>\d{8})\.json",
    "compacted_segment": r"volumes/(?P<journal>[a-z]+)/(?P<number>\d{8})\.json",
    "manifest_list": rf"manifests/(?P<digest>{_DIGEST})\.json",
    # version 0.1 called them stories
    "report_input": rf"(?:report-inputs|stories)/(?P<digest>{_DIGEST})/(?P<file>[^/]+)",
    "replay_input": rf"replays/(?P<digest>{_DIGEST})/(?P<file>[^/]+)",
    "input_lists": rf"inputs/(?P<digest>{_DIGEST})/(?P<file>[^/]+)",
    "plan": rf"plans/(?P<digest>{_DIGEST})/(?P<file>[^/]+)",
    "watch_record": rf"watch/{_INTERVAL}/(?P<key>{_DIGEST})(?:-(?P<repetition>\d+))?\.json",
    "watch_decision": rf"watch/{_INTERVAL}/decisions/(?P<digest>{_DIGEST})(?:-(?P<repetition>\d+))?\.json",
    "rollout": r"rollouts/(?P<config>[^/]+)/(?P<attempt>[^/]+)\.json",
    "captured": rf"captured/(?P<endpoint>[^/]+)/(?P<variant>[^/]+)/{_HOUR}/(?P<file>[^/]+)",
    "captured_batch": rf"captured-batch/(?P<side>input|output)/{_HOUR}/(?P<file>[^/]+)",
    "ground_truth": rf"truth/{_HOUR}/(?P<file>[^/]+)",
    "traffic": rf"traffic/{_INTERVAL}/(?P<key>{_DIGEST})-(?P<rows>\d+)\.json",
    "reproduction": rf"reproduce/(?P<key>{_DIGEST})/(?P<job>[^/]+)/(?P<file>.*)",
    "output": rf"(?P<step>[a-z_]+)/{_INTERVAL}/(?P<key>{_DIGEST})/(?P<file>.*)",
}
_PLACES = {kind: re.compile(shape) for kind, shape in _SHAPES.items()}
_CODE = re.compile(rf"code/(?P<digest>{_DIGEST})\.tar\.gz")


def parse_place(key: str) -> Place | None:
    """Return what a key of the bucket is, or None if the layout knows no such place.

    An output's folder is an output whose `file` is empty.
    """
    if match := _CODE.fullmatch(key):
        return Place("code", match.groupdict())
    cycle, _, path = key.partition("/")
    return parse_path(path) if CYCLE_NAME.fullmatch(cycle) else None


def parse_path(path: str) -> Place | None:
    """Return what follows a cycle's name in a key, or None if the layout knows no such place."""
    for kind, shape in _PLACES.items():
        if match := shape.fullmatch(path):
            return Place(kind, {name: part for name, part in match.groupdict().items() if part is not None})
    return None


def below_cycle(uri: str) -> str:
    """Return what follows the cycle's name in the URI of an object, as the page addresses it."""
    return split_uri(uri)[1].partition("/")[2]


def below_step(uri: str) -> str:
    """Return what follows the folder of a step's outputs in a URI below it: `<interval>/<key>/...`."""
    return below_cycle(uri).partition("/")[2]


def output_path(uri: str) -> str | None:
    """Return `<step>/<interval>/<key>` of the output that a URI names or lies in; None if there is none."""
    if not is_s3(uri):
        return None
    parsed = parse_place(split_uri(uri.rstrip("/") + "/")[1])
    if parsed is None or parsed.kind != "output":
        return None
    return "/".join(parsed.parts[name] for name in ("step", "interval", "key"))


def address_from_output(uri: str) -> str | None:
    """Return the address of a file relative to a page in the folder of an output, as a bucket serves both.

    None for a folder, and for what is not in S3.
    """
    if not is_s3(uri) or uri.endswith("/"):
        return None
    # an output lies four folders below its bucket: <cycle>/<step>/<interval>/<key>/
    return "../../../../" + split_uri(uri)[1]


def key_of(output: str) -> str:
    """Return the key that the folder of an output ends with."""
    return output.rstrip("/").rpartition("/")[2]
