"""The base of the fetch and list tasks: stages the windows of a batch, and returns figures of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from airflow.providers.common.compat.sdk import Context

from cloudtrail_elasticsearch.operators.batch import BatchOperator, NamedBatch
from cloudtrail_elasticsearch.operators.context import return_early

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.coverage.windows import Window
    from cloudtrail_elasticsearch.pipeline.each_window import HasWindow

    Asked = TypeVar("Asked", bound=HasWindow)

_SIDE_BY_SIDE: Final = 16
"""Windows that are staged at once: one waits for AWS most of the time, and accounts have quotas of their own."""


class BatchStagingOperator(BatchOperator):
    """Stages each window of a batch; returns figures of the windows.

    The failure of a window does not stop the others, and the task fails at its end with the names of those that
    failed. `BatchOperator` has the arguments of the batch.
    """

    DONE: ClassVar[str]
    """What the task does with a window, such as ``fetched``."""
    FIGURES: ClassVar[tuple[str, ...]]
    """The names of a window's figures, of which the task returns the totals."""

    @abstractmethod
    def count(self, window: Window, staged: Any) -> Mapping[str, int]:
        """Return the figures of a window that was staged, and add them to Airflow's metrics."""

    def stage_batch(
        self,
        context: Context,
        batch: NamedBatch,
        windows: Sequence[Asked],
        stage: Callable[[Asked], Any],
    ) -> dict[str, Any]:
        """Stage the windows; return the identity of the batch, the totals, and the windows that failed.

        :raises CoverageError: some windows were not staged, and a retry would not help; the message names them
        :raises TransientError: some windows were not staged, and a retry may help
        """
        from cloudtrail_elasticsearch.pipeline.each_window import EachWindow
        from cloudtrail_elasticsearch.pipeline.failures import group_failures

        result = self.describe_nothing(batch)
        each_window = EachWindow()
        for _, asked, staged in each_window.run(stage, enumerate(windows), _SIDE_BY_SIDE):
            for name, figure in {"windows": 1, **self.count(asked.window, staged)}.items():
                result[name] += figure
        totals = ", ".join(f"{result[name]} {name}" for name in ("windows", *self.FIGURES))
        self.log.info("%s %s: %s.", self.DONE.capitalize(), batch.name, totals)
        result["failures"] = group_failures(each_window.failures)
        with return_early(context, result):
            each_window.check(self.DONE, len(windows))
        return result

    def describe_nothing(self, batch: NamedBatch) -> dict[str, Any]:
        """Return the result of a batch of which nothing was staged."""
        # The load task compares the identity with that of its own batch: it must work on the same windows.
        return batch.identity | dict.fromkeys(("windows", *self.FIGURES), 0) | {"failures": []}
