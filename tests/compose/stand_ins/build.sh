#!/bin/sh
# Builds stand-ins for the public images that docker-compose.yml and the Dockerfiles name, from Debian's packages and this
# project's lock, under the public names. For machines that reach a package mirror but no image registry; needs root,
# Debian's debootstrap, and a Docker daemon. A pass with them shows that the wiring works, and nothing of the public
# images themselves: their Postgres, for one, is newer.
#   build.sh FOLDER      a folder for the root file system, which may be removed afterwards
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=${1:?a folder for the root file system}
export DOCKER_BUILDKIT=1

has() { docker image inspect "$1" >/dev/null 2>&1; }

base() {
  mirror=$(awk '/^URIs:/ {print $2; exit}' /etc/apt/sources.list.d/debian.sources)
  packages=python3,python3-venv,python3-pip,ca-certificates,curl,netbase,tzdata
  if ! [ -f "$ROOT/.done" ]; then
    debootstrap --variant=minbase --include=$packages bookworm "$ROOT" ${mirror:+"$mirror"}
    : >"$ROOT/.done"
  fi
  rm -rf "$ROOT"/var/cache/apt/archives/*.deb "$ROOT"/var/lib/apt/lists/* "$ROOT"/usr/lib/python3*/EXTERNALLY-MANAGED
  # certificates that this machine trusts besides Debian's, so that a build reaches its package mirrors
  cp -f /usr/local/share/ca-certificates/*.crt "$ROOT/usr/local/share/ca-certificates/" 2>/dev/null || true
  chroot "$ROOT" update-ca-certificates >/dev/null 2>&1
  for name in python python3; do ln -sf /usr/bin/python3 "$ROOT/usr/local/bin/$name"; done
  ln -sf /usr/bin/pip3 "$ROOT/usr/local/bin/pip"
  bundle=/etc/ssl/certs/ca-certificates.crt
  tar -C "$ROOT" --numeric-owner -c . | docker import \
    --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin LANG=C.UTF-8' \
    --change "ENV SSL_CERT_FILE=$bundle REQUESTS_CA_BUNDLE=$bundle PIP_CERT=$bundle" \
    --change 'CMD ["python3"]' - python:3.11-slim-bookworm
  docker tag python:3.11-slim-bookworm debian:bookworm-slim
}

# build NAME FILE: the context is this folder and the lock
build() {
  tar -c -C "$HERE" . -C "$HERE/../../.." requirements-production.txt | docker build --tag "$1" --file "$2" -
}

has python:3.11-slim-bookworm || base
has redis:7.2-bookworm || build redis:7.2-bookworm redis.Dockerfile
has postgres:16 || build postgres:16 postgres.Dockerfile
has apache/airflow:3.3.2-python3.11 || build apache/airflow:3.3.2-python3.11 airflow.Dockerfile
