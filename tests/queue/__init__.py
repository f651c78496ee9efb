"""Tests on an Airflow with aiobotocore, which reads SQS queues in its triggerer: `make test-queue`."""
