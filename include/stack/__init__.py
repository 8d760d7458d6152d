"""What `make run`, `make status` and `make down` do: the services of one machine, a cycle's first turn."""

import sys

from include.settings import PROJECT

# Airflow puts plugins/ on the path of its own processes; the ledger and the names in it are read here too
if str(PROJECT / "plugins") not in sys.path:
    sys.path.append(str(PROJECT / "plugins"))
