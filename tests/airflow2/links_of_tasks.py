"""Run by Airflow 2.11's Python: print the links of a run's tasks, as the webserver makes them, in JSON."""

import json
import sys
import warnings

warnings.simplefilter("ignore")

from airflow.models import DagBag, TaskInstance  # noqa: E402
from airflow.serialization.serialized_objects import SerializedDAG  # noqa: E402
from airflow.utils.session import create_session  # noqa: E402

parsed = DagBag().get_dag("cloudtrail_to_elasticsearch")
dag = SerializedDAG.from_dict(SerializedDAG.to_dict(parsed))
found = {}
with create_session() as session:
    for name in ("cell.fetch", "cell.load", "coverage"):
        instances = session.query(TaskInstance).filter_by(task_id=name)
        # The first day was planned once, with a task for each window.
        instance = instances.order_by(TaskInstance.run_id, TaskInstance.map_index).first()
        task = dag.get_task(name)
        found[name] = {link: task.get_extra_links(instance, link) for link in task.extra_links}
sys.stdout.write(f"FOUND {json.dumps(found)}\n")
