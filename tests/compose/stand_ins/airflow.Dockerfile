# Stands in for apache/airflow: its user, its folders and its entry point; the packages are those of this project's lock.
FROM python:3.11-slim-bookworm
RUN apt-get update \
 && apt-get install -y --no-install-recommends dumb-init libpq5 libgomp1 procps \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 50000 --gid 0 --no-log-init --create-home --home-dir /home/airflow airflow \
 && mkdir -p /opt/airflow/dags /opt/airflow/logs /opt/airflow/plugins /opt/airflow/config \
 && chown -R 50000:0 /opt/airflow && chmod -R g+rwX /opt/airflow /home/airflow
ENV AIRFLOW_HOME=/opt/airflow PATH=/home/airflow/.local/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin \
    VIRTUAL_ENV=/home/airflow/.local DUMB_INIT_SETSID=1 PYTHONUNBUFFERED=1
COPY --chown=50000:0 airflow-entrypoint.sh /entrypoint
RUN chmod 775 /entrypoint
USER 50000
COPY requirements-production.txt /tmp/lock.txt
RUN python3 -m venv /home/airflow/.local \
 && pip install --no-cache-dir uv \
 && uv pip install --no-cache --compile-bytecode --require-hashes -r /tmp/lock.txt
WORKDIR /opt/airflow
EXPOSE 8080
ENTRYPOINT ["/usr/bin/dumb-init", "--", "/entrypoint"]
