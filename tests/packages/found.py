"""Run in its own environment and Airflow home: print the parts of the project that Airflow finds, as JSON."""

import json
import sys
import warnings
from importlib.metadata import entry_points

warnings.simplefilter("ignore")

from airflow.models.dagbag import DagBag  # noqa: E402
from airflow.plugins_manager import get_plugin_info  # noqa: E402
from airflow.providers_manager import ProvidersManager  # noqa: E402

providers = ProvidersManager()  # type: ignore[no-untyped-call]
hook = providers.hooks.get("cloudtrail_search")
bag = DagBag()
plugins = [plugin for plugin in get_plugin_info() if plugin["name"] == "cloudtrail_elasticsearch"]

import cloudtrail_elasticsearch  # noqa: E402

found = {
    "python": ".".join(map(str, sys.version_info[:2])),
    "version": cloudtrail_elasticsearch.__version__,
    "from": cloudtrail_elasticsearch.__file__,
    "import_errors": bag.import_errors,
    "dags": sorted(bag.dags),
    "plugins": [str(plugin["source"]) for plugin in plugins],
    "links": sorted(link.rpartition(".")[2] for link in providers.extra_links_class_names if "cloudtrail" in link),
    "connection": hook and hook.hook_name,
    "entry_points": len(entry_points(group="airflow.plugins", name="cloudtrail_elasticsearch")),
}
sys.stdout.write(f"FOUND {json.dumps(found)}\n")
