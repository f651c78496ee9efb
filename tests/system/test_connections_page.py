"""The connection's form and its Test button, with a real API server and a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from cloudtrail_elasticsearch.get_provider_info import FIELDS
from devstack.airflow import Airflow
from devstack.shared import PASSWORDS
from tests.system.conftest import Site

pytestmark = pytest.mark.xdist_group("coverage-page")

WRONG = "a-wrong-password"


@pytest.fixture
def airflow(site: Site) -> Airflow:
    """The Airflow of the page tests; it allows connection tests."""
    return site.airflow


@pytest.fixture
def page(browser: Browser, airflow: Airflow) -> Iterator[Page]:
    """Airflow's page of connections, for the admin."""
    context = browser.new_context(viewport={"width": 1400, "height": 1600})
    context.add_cookies([{"name": "_token", "value": airflow.user("admin").token, "url": airflow.url}])
    opened = context.new_page()
    opened.goto(f"{airflow.url}/connections")
    yield opened
    context.close()


def body(name: str, **fields: Any) -> dict[str, Any]:
    extra = json.dumps(fields.pop("extra", {}))
    return {"connection_id": name, "conn_type": "cloudtrail_search", "extra": extra} | fields


def test_the_test_route_returns_the_hooks_answer(airflow: Airflow, secured_elasticsearch: str) -> None:
    """For an unsaved connection: URLs, texts and booleans reach the hook unchanged."""
    login = {"host": secured_elasticsearch, "login": "admin"}
    extra = {"engine": "elasticsearch", "verify_certs": True, "timeout": 5, "cloud_id": None}
    answer = airflow.request(
        "POST", "/connections/test", body("a", **login, password=PASSWORDS["admin"], extra=extra)
    )
    assert answer == {
        "status": True,
        "message": f"Elasticsearch answers at {secured_elasticsearch}, and this user may load.",
    }
    answer = airflow.request("POST", "/connections/test", body("a", **login, password=WRONG))
    assert answer["status"] is False
    assert "does not know the connection's user" in answer["message"]
    assert WRONG not in answer["message"]
    answer = airflow.request("POST", "/connections/test", body("a", extra={"cloud_id": "none"}))
    assert answer["status"] is False
    assert answer["message"].startswith("This connection has a cloud_id that cannot be decoded")


def test_a_saved_key_is_hidden_and_still_tested(airflow: Airflow, secured_elasticsearch: str) -> None:
    """The API returns a mask, and reads the mask as the saved key."""
    secret = "an-api-key-of-nobody"
    saved = body("hidden", host=secured_elasticsearch, extra={"engine": "elasticsearch", "api_key": secret})
    airflow.request("POST", "/connections", saved)
    told = airflow.request("GET", "/connections/hidden")
    assert json.loads(told["extra"]) == {"engine": "elasticsearch", "api_key": "***"}
    answer = airflow.request("POST", "/connections/test", saved | {"extra": told["extra"]})
    assert answer["status"] is False
    assert "api_key" in answer["message"]
    assert secret not in answer["message"]


def test_the_form_is_filled_in_saved_and_tested(page: Page, airflow: Airflow, secured_elasticsearch: str) -> None:
    """It has our fields, the hook reads the saved values, and Test reports success or failure."""
    page.get_by_role("button", name="Add Connection").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Connection ID").fill("by_hand")
    form.get_by_role("combobox").first.click()
    page.get_by_role("option", name="Elasticsearch or OpenSearch (CloudTrail)").click()
    host, _, port = secured_elasticsearch.rpartition(":")
    form.get_by_label("Host or URL").fill(host)
    form.get_by_label("Port").fill(port)
    form.get_by_label("Login").fill("admin")
    form.get_by_label("Password").fill(PASSWORDS["admin"])
    form.get_by_role("button", name="Extra Fields", exact=True).click()
    for field in FIELDS.values():
        expect(form.get_by_text(field["label"], exact=True)).to_be_visible()
    expect(form.locator("#element_api_key")).to_have_attribute("type", "password")
    form.get_by_label("Engine").click()
    page.get_by_role("option", name="elasticsearch", exact=True).click()
    form.get_by_label("Timeout").fill("7")
    form.get_by_label("Compress requests").locator("xpath=..").click()
    form.get_by_role("button", name="Save").click()
    expect(form).to_be_hidden()

    extra = json.loads(airflow.request("GET", "/connections/by_hand")["extra"])
    said = {name: value for name, value in extra.items() if value is not None}
    assert said | {"verify_certs": True} == {
        "engine": "elasticsearch",
        "timeout": 7,
        "compress": True,
        "verify_certs": True,
    }
    row = page.get_by_role("row", name="by_hand")
    row.get_by_role("button", name="Test Connection").click()
    expect(page.get_by_text("and this user may load").first).to_be_visible()

    airflow.request("PATCH", "/connections/by_hand?update_mask=password", body("by_hand", password=WRONG))
    page.reload()
    row.get_by_role("button", name="Test Connection").click()
    expect(page.get_by_text("does not know the connection's user").first).to_be_visible()
    expect(page.get_by_text(WRONG)).to_have_count(0)
