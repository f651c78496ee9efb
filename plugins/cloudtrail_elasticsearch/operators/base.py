"""What the operators share: connections, staging, and which failures are worth another attempt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from cloudtrail_elasticsearch.airflows import variable
from cloudtrail_elasticsearch.core.errors import ConfigurationError
from cloudtrail_elasticsearch.core.windows import Window
from cloudtrail_elasticsearch.operators.retries import retry_arguments
from cloudtrail_elasticsearch.staging import DEFAULT_PREFIX, Encryption, Staging

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.hooks.cloudtrail import CloudTrailHook


def is_true(rendered: str | bool) -> bool:
    """Whether a templated boolean, which is a text once it is rendered, is true."""
    return str(rendered).strip().lower() == "true"


def configured(given: str | None, name: str) -> str:
    """Return what an operator was given, or else what the Airflow variable of this name says.

    Airflow's API is asked for a variable, once for each of a run's tasks: so no sooner than it is needed.
    """
    return (variable(name) or "") if given is None else given


class WindowOperator(BaseOperator):
    """Works on one window's staged events.

    :param window: the window, as `CloudTrailPlanOperator` returns it
    :param bucket: the S3 bucket to stage in
    :param prefix: the key prefix in it
    :param force: do the work again although it is done (``true`` or ``false``, so that it can be templated)
    :param encryption: how S3 encrypts what is staged: ``AES256`` or ``aws:kms``; empty: as the bucket does;
        where none is given, as the Airflow variable ``cloudtrail_staging_encryption`` says
    :param kms_key: the id or ARN of the key for ``aws:kms``; where none is given, as the Airflow variable
        ``cloudtrail_staging_kms_key`` says
    :param aws_conn_id: the AWS connection
    """

    template_fields: Sequence[str] = ("window", "bucket", "prefix", "force", "encryption", "kms_key")

    def __init__(
        self,
        *,
        window: dict[str, str],
        bucket: str,
        prefix: str = DEFAULT_PREFIX,
        force: str | bool = False,
        encryption: str | None = None,
        kms_key: str | None = None,
        aws_conn_id: str | None = "aws_default",
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("map_index_template", "{{ task.window['name'] }}")
        super().__init__(**retry_arguments() | kwargs)
        self.window = window
        self.bucket = bucket
        self.prefix = prefix
        self.force = force
        self.encryption = encryption
        self.kms_key = kms_key
        self.aws_conn_id = aws_conn_id

    def staged_uri(self) -> str:
        """Return where the window is staged."""
        return Staging(None, self.bucket, self.prefix).uri(self.planned_window())

    @property
    def forced(self) -> bool:
        """Whether work that is done is to be done again."""
        return is_true(self.force)

    def planned_window(self) -> Window:
        """Return the window that this task works on."""
        return Window.from_dict(self.window)

    def aws(self) -> CloudTrailHook:
        """Return the AWS connection's hook."""
        from cloudtrail_elasticsearch.hooks.cloudtrail import CloudTrailHook

        return CloudTrailHook(aws_conn_id=self.aws_conn_id)

    def staging(self, aws: CloudTrailHook) -> Staging:
        """Return the staging bucket.

        :raises ConfigurationError: none was given
        """
        if not self.bucket:
            raise ConfigurationError(
                "There is no staging bucket: set the Airflow variable cloudtrail_staging_bucket "
                "(or AIRFLOW_VAR_CLOUDTRAIL_STAGING_BUCKET) to the name of an S3 bucket."
            )
        return Staging(aws.s3(), self.bucket, self.prefix, self._encryption)

    def _encryption(self) -> Encryption:
        return Encryption(
            configured(self.encryption, "cloudtrail_staging_encryption"),
            configured(self.kms_key, "cloudtrail_staging_kms_key"),
        )
