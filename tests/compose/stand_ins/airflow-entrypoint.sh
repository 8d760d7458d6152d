#!/bin/bash
# What the public image's entry point does of which this project makes use: waits for the database and the broker,
# migrates and makes a user where it is told to, and takes `bash`, `python` or Airflow's own commands.
set -euo pipefail
umask 0002

wait_for() {
  local left=${CONNECTION_CHECK_MAX_COUNT:-20}
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1))
    if ((left <= 0)); then echo "gave up: $*" >&2; exit 1; fi
    sleep "${CONNECTION_CHECK_SLEEP_TIME:-3}"
  done
}

if ((${CONNECTION_CHECK_MAX_COUNT:-20} > 0)); then wait_for airflow db check; fi
if [[ -n ${_AIRFLOW_DB_MIGRATE:-} ]]; then airflow db migrate; fi
if [[ -n ${_AIRFLOW_WWW_USER_CREATE:-} ]]; then
  airflow users create --username "${_AIRFLOW_WWW_USER_USERNAME:-admin}" --password "${_AIRFLOW_WWW_USER_PASSWORD:?}" \
    --firstname Airflow --lastname Admin --email admin@example.com --role Admin || true
fi
case ${1:-} in bash | python) exec "$@" ;; airflow) shift ;; esac
exec airflow "$@"
