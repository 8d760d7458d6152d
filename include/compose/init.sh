#!/bin/bash
# Makes Airflow's database, or brings it to this version, and the user `admin` with the password of .env.
set -euo pipefail
airflow db migrate
# written with =, since a password may begin with -
airflow users create --username admin --password="$AIRFLOW_ADMIN_PASSWORD" --role Admin \
  --firstname Flywheel --lastname Admin --email admin@localhost
# a user that was there keeps its old password
airflow users reset-password --username admin --password="$AIRFLOW_ADMIN_PASSWORD"
