"""The base of the operators that work on one batch of LookupEvents windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cloudtrail_elasticsearch.core.coverage.lookup_batches import LookupBatch
from cloudtrail_elasticsearch.operators.base import is_true
from cloudtrail_elasticsearch.operators.batch import BatchOperator
from cloudtrail_elasticsearch.staging import Staging

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.hooks.cloudtrail import CloudTrailHook


class LookupBatchOperator(BatchOperator):
    """Works on the staged events of a batch. `BatchOperator` has the arguments of the batch.

    :param force: do the work again even if it is complete (``true`` or ``false``, so that it can be templated)
    """

    template_fields: Sequence[str] = ("force", *BatchOperator.template_fields)

    def __init__(self, *, force: str | bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.force = force

    @property
    def forced(self) -> bool:
        """Whether to do complete work again."""
        return is_true(self.force)

    def planned_batch(self) -> LookupBatch:
        """Return the batch that this task works on."""
        return LookupBatch.from_dict(self.batch)

    def staging(self, aws: CloudTrailHook) -> Staging:
        """Return the staging bucket.

        :raises ConfigurationError: no bucket is configured
        """
        return Staging(aws.s3(), self.require_bucket(), self.prefix, self.read_encryption)

    def staged_uris(self) -> list[str]:
        """Return the URI of each window's folder in the staging bucket."""
        # No client: only the path is needed.
        staging = Staging(None, self.bucket, self.prefix)
        return [staging.uri(each.window) for each in self.planned_batch().windows]
