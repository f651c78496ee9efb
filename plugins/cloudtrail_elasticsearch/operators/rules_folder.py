"""The folder of rules and fields files, which only the deployment can set.

Users who may edit Airflow's variables can choose a file in this folder. Files outside of it are never read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from airflow.configuration import AIRFLOW_HOME
from airflow.providers.common.compat.sdk import conf

from cloudtrail_elasticsearch.core.user_files import confine_file
from cloudtrail_elasticsearch.operators.base import read_setting

_SECTION: Final = "cloudtrail"
_OPTION: Final = "rules_folder"
_ADVICE: Final = (
    f"Move the file there, or ask Airflow's administrator to set {_OPTION} in section [{_SECTION}] of Airflow's "
    f"configuration (AIRFLOW__{_SECTION.upper()}__{_OPTION.upper()}) to the file's folder."
)


def find_rules_folder() -> Path:
    """Return the folder of rules and fields files, by default ``cloudtrail`` in Airflow's home.

    https://airflow.apache.org/docs/apache-airflow/stable/howto/set-config.html
    """
    chosen = conf.get(_SECTION, _OPTION, fallback="")
    return Path(chosen).expanduser() if chosen else Path(AIRFLOW_HOME, _SECTION)


def find_user_file(given: str | None, argument: str) -> Path | None:
    """Return the file that an operator's argument names; if None, the Airflow variable ``cloudtrail_{argument}``.

    :raises RulesError: the file is not below the folder; the file itself was not opened
    """
    variable = f"cloudtrail_{argument}"
    name = read_setting(given, variable)
    if not name:
        return None
    named_by = f"The Airflow variable {variable}" if given is None else f"The operator's {argument}"
    return confine_file(name, find_rules_folder(), named_by, _ADVICE)
