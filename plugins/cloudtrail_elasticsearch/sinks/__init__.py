"""Elasticsearch and OpenSearch, behind the one method that the core calls (`SearchServer.request`)."""
