#!/bin/bash
# What the public image's entry point does of which this project makes use: POSTGRES_USER, _PASSWORD and _DB at the first start.
set -euo pipefail
if [[ ${1:-} == postgres && $(id -u) == 0 ]]; then
  chown -R postgres:postgres "$PGDATA"
  install -d -o postgres -g postgres /var/run/postgresql
  exec gosu postgres "$0" "$@"
fi
if [[ ${1:-} == postgres && ! -s $PGDATA/PG_VERSION ]]; then
  user=${POSTGRES_USER:-postgres}
  initdb -D "$PGDATA" -U "$user" --pwfile=<(echo "${POSTGRES_PASSWORD:?}") --auth=scram-sha-256 --auth-local=trust
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
  # without the network: nobody may find a server that is not set up yet
  pg_ctl -D "$PGDATA" -w -o "-c listen_addresses=''" start
  psql -v ON_ERROR_STOP=1 -U "$user" -d postgres -c "CREATE DATABASE \"${POSTGRES_DB:-$user}\"" || [[ ${POSTGRES_DB:-$user} == postgres ]]
  pg_ctl -D "$PGDATA" -m fast -w stop
fi
if [[ ${1:-} == postgres ]]; then exec "$@" -c listen_addresses='*'; fi
exec "$@"
