"""The rules folder is an option of Airflow's configuration, declared in Airflow's form."""

from __future__ import annotations

import json
from pathlib import Path

import airflow
import jsonschema  # type: ignore[import-untyped]
import pytest
from airflow.providers.common.compat.sdk import conf

from cloudtrail_elasticsearch.core.errors import RulesError
from cloudtrail_elasticsearch.get_provider_info import get_provider_info
from cloudtrail_elasticsearch.operators.rules_folder import find_rules_folder, find_user_file


def test_airflow_accepts_the_option() -> None:
    """The provider's declaration is valid, and Airflow knows the option by its name."""
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)
    assert conf.get("cloudtrail", "rules_folder", fallback="") == ""


def test_only_the_deployment_can_change_the_rules_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The default is in Airflow's home. An Airflow variable or a run's conf cannot change it."""
    from airflow.configuration import AIRFLOW_HOME

    monkeypatch.setenv("AIRFLOW_VAR_CLOUDTRAIL_RULES_FOLDER", "/etc")
    assert find_rules_folder() == Path(AIRFLOW_HOME, "cloudtrail")
    monkeypatch.setenv("AIRFLOW__CLOUDTRAIL__RULES_FOLDER", "/rules")
    assert find_rules_folder() == Path("/rules")


def test_an_operators_own_file_overrides_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty name means no file. The error has the setting with the name, and how to set the folder."""
    monkeypatch.setenv("AIRFLOW__CLOUDTRAIL__RULES_FOLDER", "/rules")
    monkeypatch.setenv("AIRFLOW_VAR_CLOUDTRAIL_RULES_FILE", "/etc/passwd")
    assert find_user_file("mine.yaml", "rules_file") == Path("/rules/mine.yaml")
    assert find_user_file("", "rules_file") is None
    with pytest.raises(RulesError, match=r"variable cloudtrail_rules_file is .*__RULES_FOLDER"):
        find_user_file(None, "rules_file")
    with pytest.raises(RulesError, match=r"operator.s rules_file is .*, which is not below"):
        find_user_file("../x", "rules_file")
