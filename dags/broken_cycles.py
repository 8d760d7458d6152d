"""Shows what is wrong with the descriptions of cycles.

A cycle that is broken has no DAGs, and those of the others stay as they are. What is wrong is the import
error that Airflow shows of this file, which makes no DAG itself.
"""

from include.core.cycle import refuse_broken_cycles

refuse_broken_cycles()
