"""The folders of files that users name: rules, fields and databases. Only the deployment can set them.

Users who may edit Airflow's variables can choose a file in a folder. Files outside of it are never read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from airflow.configuration import AIRFLOW_HOME
from airflow.providers.common.compat.sdk import conf

from cloudtrail_elasticsearch.core.user_files import confine_file
from cloudtrail_elasticsearch.operators.base import read_setting

_SECTION: Final = "cloudtrail"


@dataclass(frozen=True, slots=True)
class UserFolder:
    """A folder that an option of Airflow's configuration sets, by default ``cloudtrail`` in Airflow's home."""

    option: str

    def find(self) -> Path:
        """Return the folder.

        https://airflow.apache.org/docs/apache-airflow/stable/howto/set-config.html
        """
        chosen = conf.get(_SECTION, self.option, fallback="")
        return Path(chosen).expanduser() if chosen else Path(AIRFLOW_HOME, _SECTION)

    @property
    def advice(self) -> str:
        """The remedy for a file that is not in the folder."""
        return (
            f"Move the file there, or ask Airflow's administrator to set {self.option} in section [{_SECTION}] of "
            f"Airflow's configuration (AIRFLOW__{_SECTION.upper()}__{self.option.upper()}) to the file's folder."
        )


RULES_FOLDER: Final = UserFolder("rules_folder")
DATABASES_FOLDER: Final = UserFolder("databases_folder")


def find_rules_folder() -> Path:
    """Return the folder of rules and fields files."""
    return RULES_FOLDER.find()


def find_user_file(given: str | None, argument: str) -> Path | None:
    """Return the file that an operator's argument names; if None, the Airflow variable ``cloudtrail_{argument}``.

    :raises RulesError: the file is not below the folder; the file itself was not opened
    """
    variable = f"cloudtrail_{argument}"
    name = read_setting(given, variable)
    if not name:
        return None
    named_by = f"The Airflow variable {variable}" if given is None else f"The operator's {argument}"
    return confine_file(name, find_rules_folder(), named_by, RULES_FOLDER.advice)
