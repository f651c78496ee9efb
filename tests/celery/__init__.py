"""Tests of docker-compose.yaml's services with CeleryExecutor, PostgreSQL and Redis: `make test-celery`."""
