"""Importing by the products' own API, spoken here by a small server in their place."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cloudtrail_elasticsearch.core.mapping import IndexPattern
from devstack.views.importing import ImportingError, import_views
from devstack.views.products import DASHBOARDS, KIBANA, Product

from .import_api import ImportApi, import_api

PATTERN = IndexPattern("trail-%Y")


@pytest.fixture(params=[("kbn", None)])
def api(request: pytest.FixtureRequest) -> Iterator[ImportApi]:
    header, refused = request.param
    with import_api(header, refused=refused) as server:
        yield server


@pytest.mark.parametrize(
    ("api", "product"), [(("kbn", None), KIBANA), (("osd", None), DASHBOARDS)], indirect=["api"]
)
def test_each_product_gets_its_own_objects(api: ImportApi, product: Product) -> None:
    """Which product it is, is told by its answers; the data view is of the indices that were named."""
    assert import_views(f"http://ada:s3%3Acret@{api.address}/base/", PATTERN) == (product, len(api.taken))
    (data_view,) = (each for each in api.taken.values() if each["type"] == "index-pattern")
    assert data_view["attributes"]["title"] == "trail-*,trail-undated"
    assert ("migrationVersion" in data_view) == (product is DASHBOARDS)


@pytest.mark.parametrize("api", [("kbn", "dashboard")], indirect=True)
def test_what_was_not_taken_is_named(api: ImportApi) -> None:
    """The API answers 200 to an import that it took in part; that is a failure here."""
    with pytest.raises(ImportingError, match=r"Kibana at .* did not take all views: .*cloudtrail-dashboard"):
        import_views(f"http://ada:s3%3Acret@{api.address}/base", PATTERN)


def test_a_user_without_leave_is_told(api: ImportApi) -> None:
    """The sentence says what to name where, and does not hold the password."""
    with pytest.raises(ImportingError, match="answered 401: name a user in the address") as told:
        import_views(f"http://ada:wrong@{api.address}/base", PATTERN)
    assert "wrong" not in str(told.value)


@pytest.mark.parametrize("api", [("any", None)], indirect=True)
def test_another_server_is_not_taken_for_one(api: ImportApi) -> None:
    """What names itself neither is sent nothing."""
    with pytest.raises(ImportingError, match="neither Kibana nor OpenSearch Dashboards"):
        import_views(f"http://ada:s3%3Acret@{api.address}/base", PATTERN)
    assert api.taken == {}


@pytest.mark.parametrize("url", ["127.0.0.1:5601", "http://127.0.0.1:9", "ftp://any"])
def test_a_wrong_address_is_one_sentence(url: str) -> None:
    """No traceback where nothing answers, or where it is no address."""
    with pytest.raises(ImportingError, match=r"is not a URL|cannot be reached"):
        import_views(url, PATTERN)
