"""Import the views with the products' own API, which a small server provides."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
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
    """The answers identify the product. The data view is that of the given indices."""
    assert import_views(f"http://ada:s3%3Acret@{api.address}/base/", PATTERN) == (product, len(api.taken))
    (data_view,) = (each for each in api.taken.values() if each["type"] == "index-pattern")
    assert data_view["attributes"]["title"] == "trail-*,trail-undated"
    assert ("migrationVersion" in data_view) == (product is DASHBOARDS)


@pytest.mark.parametrize("api", [("kbn", "dashboard")], indirect=True)
def test_what_was_not_taken_is_named(api: ImportApi) -> None:
    """The API answers 200 to an import that it took in part; that is a failure here."""
    with pytest.raises(ImportingError, match=r"Kibana at .* did not import all views: .*cloudtrail-dashboard"):
        import_views(f"http://ada:s3%3Acret@{api.address}/base", PATTERN)


def test_a_missing_permission_is_explained(api: ImportApi) -> None:
    """The error says which user to give, and does not contain the password."""
    with pytest.raises(ImportingError, match="answered 401: name a user in the address") as told:
        import_views(f"http://ada:wrong@{api.address}/base", PATTERN)
    assert "wrong" not in str(told.value)


@pytest.mark.parametrize("api", [("any", None)], indirect=True)
def test_another_server_gets_no_import(api: ImportApi) -> None:
    """Nothing is sent to a server that is neither product."""
    with pytest.raises(ImportingError, match="neither Kibana nor OpenSearch Dashboards"):
        import_views(f"http://ada:s3%3Acret@{api.address}/base", PATTERN)
    assert api.taken == {}


@pytest.mark.parametrize("url", ["127.0.0.1:5601", "http://127.0.0.1:9", "ftp://any"])
def test_a_wrong_address_is_reported_in_one_sentence(url: str) -> None:
    """No traceback if nothing answers or the address is invalid."""
    with pytest.raises(ImportingError, match=r"is not a URL|cannot be reached"):
        import_views(url, PATTERN)
