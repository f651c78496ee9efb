"""The AWS hook: clients of one connection."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.own import USER_AGENT
from cloudtrail_elasticsearch.core.windows import Window
from cloudtrail_elasticsearch.hooks.cloudtrail import CloudTrailHook

WINDOW = Window.from_dict(
    {
        "account": "123456789012",
        "region": "eu-central-1",
        "start": "2026-11-20T00:00:00+00:00",
        "end": "2026-11-21T00:00:00+00:00",
        "name": "",
    }
)


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> CloudTrailHook:
    extra = {
        "region_name": "eu-west-1",
        "config_kwargs": {"proxies": {"https": "http://proxy.example.com:3128"}, "retries": {"max_attempts": 3}},
        "service_config": {"s3": {"endpoint_url": "https://s3.example.com"}},
    }
    connection = {"conn_type": "aws", "login": "testing", "password": "testing", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    return CloudTrailHook(aws_conn_id="aws_default")


def test_clients_are_made_as_the_connection_says(hook: CloudTrailHook) -> None:
    """Its proxies, endpoints and region; CloudTrail in the window's region, tried again by ourselves alone."""
    cloudtrail, s3 = hook.source(WINDOW)._client, hook.s3()
    assert cloudtrail.meta.region_name == "eu-central-1"
    assert cloudtrail.meta.config.retries["total_max_attempts"] == 1
    assert s3.meta.region_name == "eu-west-1"
    assert s3.meta.endpoint_url == "https://s3.example.com"
    assert s3.meta.config.retries["total_max_attempts"] == 4
    for client in (cloudtrail, s3):
        assert client.meta.config.proxies == {"https": "http://proxy.example.com:3128"}
        assert USER_AGENT in client.meta.config.user_agent_extra


def test_clients_share_a_session(hook: CloudTrailHook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials are asked for once, so that a role is assumed once."""
    asked = []
    get_session = CloudTrailHook.get_session

    def counted(self: CloudTrailHook, region_name: str | None = None) -> Any:
        asked.append(region_name)
        return get_session(self, region_name)

    monkeypatch.setattr(CloudTrailHook, "get_session", counted)
    hook.source(WINDOW)
    hook.s3()
    assert asked == ["eu-west-1"]
