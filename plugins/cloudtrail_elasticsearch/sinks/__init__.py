"""Where documents go: Elasticsearch or OpenSearch, behind the one method that the core asks for."""
