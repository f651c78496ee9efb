"""Registers the plugin where this folder is dropped into an Airflow home; an installed wheel goes first."""

from importlib.metadata import entry_points

if not entry_points(group="airflow.plugins", name="cloudtrail_elasticsearch"):
    from cloudtrail_elasticsearch.plugin import CloudTrailElasticsearchPlugin  # noqa: F401
