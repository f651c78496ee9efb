"""Dashboards for Kibana and OpenSearch Dashboards: defined once, written for both, imported into either."""
