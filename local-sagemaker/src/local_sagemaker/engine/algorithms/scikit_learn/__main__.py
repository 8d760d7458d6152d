"""The program of the scikit-learn image's containers: `train` or `serve`.

`train` runs the user's script with hyperparameters as options and SM_* variables.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from local_sagemaker.engine.algorithms import web
from local_sagemaker.engine.algorithms.scikit_learn import script
from local_sagemaker.engine.algorithms.scikit_learn.script import CodeError
from local_sagemaker.engine.algorithms.web import BASE

#: hyperparameters that are not for the script
RESERVED, TUNED = "sagemaker_", "_tuning_objective_metric"
#: lines of standard error that become the failure's reason
LINES = 12


def main(role: str) -> int:
    """Run a role of the image; return the exit status."""
    return {"train": train, "serve": script.serve}[role]()


def train() -> int:
    """Run the script; its exit status, with the reason in /opt/ml/output/failure when it is not 0."""
    given = {name: _decoded(value) for name, value in web.read_config("hyperparameters.json").items()}
    try:
        command, folder, environment = _command(given)
    except CodeError as error:
        return web.fail(f"ClientError: {error}")
    sys.stdout.write(f"Invoking script with the following command: {shlex.join(command)}\n")
    status, last = _run(command, folder, {**os.environ, **environment})
    if status:
        return web.fail(
            f'ExecuteUserScriptError:\nExitCode {status}\nErrorMessage "{last}"\n'
            f'Command "{shlex.join(command)}"'
        )
    return 0


def _command(given: dict[str, Any]) -> tuple[list[str], Path, dict[str, str]]:
    """Return the command, its working directory, and what its environment gains."""
    name = given.get("sagemaker_program") or os.environ.get("SAGEMAKER_PROGRAM")
    if not name:
        raise CodeError("The hyperparameter sagemaker_program is missing: name the script to run.")
    directory = given.get("sagemaker_submit_directory") or os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY")
    folder = script.fetch(directory or str(BASE / "code"), BASE / "code")
    path = script.program(folder, name)
    script.tell_missing(folder)
    own = {
        key: value for key, value in sorted(given.items()) if not key.startswith(RESERVED) and key != TUNED
    }
    options = [
        word for key, value in own.items() for word in (f"{'-' * min(len(key), 2)}{key}", _word(value))
    ]
    runner = [sys.executable, "-u"] if path.suffix == ".py" else ["/bin/sh"]
    environment = {
        **_environment(own, given),
        "SM_USER_ARGS": _word(options),
        "SM_USER_ENTRY_POINT": name,
        "SM_MODULE_NAME": path.stem,
        "SM_MODULE_DIR": directory or str(folder),
    }
    return [*runner, str(path), *options], folder, environment


def _environment(own: dict[str, Any], given: dict[str, Any]) -> dict[str, str]:
    """Return the SM_* variables of the training toolkit."""
    resources, channels = (web.read_config("resourceconfig.json"), web.read_config("inputdataconfig.json"))
    values: dict[str, Any] = {
        "MODEL_DIR": BASE / "model",
        "INPUT_DIR": BASE / "input",
        "INPUT_CONFIG_DIR": BASE / "input/config",
        "OUTPUT_DIR": BASE / "output",
        "OUTPUT_DATA_DIR": BASE / "output/data",
        "OUTPUT_INTERMEDIATE_DIR": BASE / "output/intermediate",
        "CHANNELS": sorted(channels),
        "HPS": own,
        "HOSTS": resources["hosts"],
        "CURRENT_HOST": resources["current_host"],
        "CURRENT_INSTANCE_TYPE": resources["current_instance_type"],
        "CURRENT_INSTANCE_GROUP": resources["current_group_name"],
        "INSTANCE_GROUPS": [group["instance_group_name"] for group in resources["instance_groups"]],
        "NETWORK_INTERFACE_NAME": resources["network_interface_name"],
        "RESOURCE_CONFIG": resources,
        "INPUT_DATA_CONFIG": channels,
        "NUM_CPUS": os.cpu_count() or 1,
        "NUM_GPUS": 0,
        "NUM_NEURONS": 0,
        "LOG_LEVEL": given.get("sagemaker_container_log_level", 20),
        "FRAMEWORK_MODULE": "sagemaker_sklearn_container.training:main",
        "FRAMEWORK_PARAMS": {key: value for key, value in given.items() if key.startswith(RESERVED)},
    }
    values |= {f"CHANNEL_{channel.upper()}": BASE / "input/data" / channel for channel in channels}
    values |= {f"HP_{key.upper()}": value for key, value in own.items()}
    return {
        **{f"SM_{key}": _word(value) for key, value in values.items()},
        "SM_TRAINING_ENV": json.dumps({key.lower(): str(value) for key, value in values.items()}),
    }


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Run the script; its exit status and the end of its standard error, which the log has as well."""
    for name in ("model", "output/data", "output/intermediate"):
        (BASE / name).mkdir(parents=True, exist_ok=True)
    # a stop is told to the script as well, whose end is waited for
    signal.signal(signal.SIGTERM, lambda *_: None)
    last: deque[str] = deque(maxlen=LINES)
    with subprocess.Popen(  # noqa: S603 (running the user's script is its purpose)
        command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as child:
        if child.stderr is None:
            raise RuntimeError("The script has no standard error.")
        reader = threading.Thread(target=_copy, args=(child.stderr, last), daemon=True)
        reader.start()
        status = child.wait()
        reader.join(1)
    return (128 - status if status < 0 else status), "".join(last).strip()


def _copy(source: IO[str], last: deque[str]) -> None:
    for line in source:
        sys.stderr.write(line)
        sys.stderr.flush()
        last.append(line)


def _decoded(value: str) -> Any:  # noqa: ANN401 (a hyperparameter is any JSON)
    """Return a hyperparameter's value: SDKs write JSON, people write words."""
    with suppress(ValueError):
        return json.loads(value)
    return value


def _word(value: object) -> str:
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
