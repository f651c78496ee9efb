"""The base of the operators: AWS connection, staging and retries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from cloudtrail_elasticsearch.airflows import read_variable
from cloudtrail_elasticsearch.core.errors import ConfigurationError
from cloudtrail_elasticsearch.operators.retries import make_retry_arguments
from cloudtrail_elasticsearch.staging import DEFAULT_PREFIX, Encryption, TrailPlans

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.hooks.cloudtrail import CloudTrailHook


def is_true(rendered: str | bool) -> bool:
    """Return whether a templated boolean is true; a rendered template is a text."""
    # Templates render True and true, depending on where the value comes from.
    return str(rendered).strip().lower() == "true"


def read_setting(given: str | None, name: str) -> str:
    """Return an operator's argument, or if it is None, the value of an Airflow variable (empty if not set).

    Reading a variable is a request to Airflow's API in each task, so call this only when the value is needed.
    """
    return (read_variable(name) or "") if given is None else given


class StagingOperator(BaseOperator):
    """Reads and writes records in the staging bucket.

    :param bucket: the S3 bucket to stage in
    :param prefix: the key prefix in it
    :param encryption: how S3 encrypts staged objects: ``AES256`` or ``aws:kms``; empty: the bucket's default;
        None: the value of the Airflow variable ``cloudtrail_staging_encryption``
    :param kms_key: the id or ARN of the key for ``aws:kms``; None: the value of the Airflow variable
        ``cloudtrail_staging_kms_key``
    :param aws_conn_id: the AWS connection
    """

    template_fields: Sequence[str] = ("bucket", "prefix", "encryption", "kms_key")

    def __init__(
        self,
        *,
        bucket: str,
        prefix: str = DEFAULT_PREFIX,
        encryption: str | None = None,
        kms_key: str | None = None,
        aws_conn_id: str | None = "aws_default",
        **kwargs: Any,
    ) -> None:
        # In this order, so that a DAG can set another policy.
        super().__init__(**make_retry_arguments() | kwargs)
        self.bucket = bucket
        self.prefix = prefix
        self.encryption = encryption
        self.kms_key = kms_key
        self.aws_conn_id = aws_conn_id

    def aws(self) -> CloudTrailHook:
        """Return the AWS connection's hook."""
        from cloudtrail_elasticsearch.hooks.cloudtrail import CloudTrailHook

        return CloudTrailHook(aws_conn_id=self.aws_conn_id)

    def require_bucket(self) -> str:
        """Return the name of the staging bucket.

        :raises ConfigurationError: no bucket is configured
        """
        if not self.bucket:
            raise ConfigurationError(
                "No staging bucket is configured: set the Airflow variable cloudtrail_staging_bucket "
                "(or AIRFLOW_VAR_CLOUDTRAIL_STAGING_BUCKET) to the name of an S3 bucket."
            )
        return self.bucket

    def open_plans(self, s3: Any) -> TrailPlans:
        """Return the plans of a trail's days.

        :param s3: the client of the staging bucket
        :raises ConfigurationError: no bucket is configured
        """
        return TrailPlans(s3, self.require_bucket(), self.prefix, self.read_encryption)

    def read_encryption(self) -> Encryption:
        """Return how S3 encrypts staged objects; reading a variable is a request to Airflow's API."""
        return Encryption(
            read_setting(self.encryption, "cloudtrail_staging_encryption"),
            read_setting(self.kms_key, "cloudtrail_staging_kms_key"),
        )
