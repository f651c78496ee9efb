"""Ready-made views for Kibana and OpenSearch Dashboards: defined once, written for both, imported by either."""
