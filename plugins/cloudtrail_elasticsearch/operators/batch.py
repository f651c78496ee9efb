"""The base of the operators that work on one batch of windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from cloudtrail_elasticsearch.operators.base import StagingOperator


class NamedBatch(Protocol):
    """A batch of windows."""

    @property
    def name(self) -> str:
        """Its name on Airflow's pages."""

    @property
    def identity(self) -> dict[str, Any]:
        """Values that no other batch of windows has: the results of its tasks have them."""


class BatchOperator(StagingOperator):
    """Works on the windows of a batch. `StagingOperator` has the arguments of the staging bucket.

    :param batch: the batch, as the plan task returns it
    """

    template_fields: Sequence[str] = ("batch", *StagingOperator.template_fields)

    def __init__(self, *, batch: dict[str, Any], **kwargs: Any) -> None:
        # Airflow's pages then show a batch's name instead of its map index.
        # Of `ti`: in Airflow 3.0, the context's own task is not rendered.
        kwargs.setdefault("map_index_template", "{{ ti.task.batch['name'] }}")
        super().__init__(**kwargs)
        self.batch = batch
