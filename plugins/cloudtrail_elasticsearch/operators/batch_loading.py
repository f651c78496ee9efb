"""The base of the load tasks: loads the windows of a batch, and returns their cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from airflow.providers.common.compat.sdk import Context

from cloudtrail_elasticsearch.core.errors import StagingError
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.operators.batch import NamedBatch
from cloudtrail_elasticsearch.operators.context import find_this_run, return_early
from cloudtrail_elasticsearch.operators.loading import LoadingOperator
from cloudtrail_elasticsearch.operators.metrics import add_to_counters
from cloudtrail_elasticsearch.operators.supervision import exit_with_supervisor

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.coverage.ledger import VerifiedCell
    from cloudtrail_elasticsearch.core.coverage.windows import Window
    from cloudtrail_elasticsearch.core.loading.loader import Loader
    from cloudtrail_elasticsearch.core.loading.report import LoadReport
    from cloudtrail_elasticsearch.core.progress import StateStore
    from cloudtrail_elasticsearch.core.search.server import SearchServer
    from cloudtrail_elasticsearch.pipeline.batch_load import ReadManifest, SharedLedger, Work
    from cloudtrail_elasticsearch.pipeline.each_window import HasWindow

    Asked = TypeVar("Asked", bound=HasWindow)

_MANIFESTS_AT_ONCE: Final = 16
_LOADS_AT_ONCE: Final = 64
"""Windows that are loaded at once: memory allows few to be read; the others wait for a count that they share."""


class BatchLoadingOperator(LoadingOperator):
    """Loads each window of a batch and counts its documents on the server; returns the cells.

    The failure of a window does not stop the others, and the task fails at its end with the names of those that
    failed. A retry goes on with the windows that were being loaded, and does not load the finished ones again.
    `LoadingOperator` has the arguments of the documents.
    """

    STAGED_BY: ClassVar[tuple[str, str]]
    """The name of the task before this one, and the word for its work, such as ``("fetch", "fetched")``."""

    def __init__(self, **kwargs: Any) -> None:
        # Also after a failed task: the windows that it staged are loaded.
        kwargs.setdefault("trigger_rule", "all_done")
        super().__init__(**kwargs)

    def read_unstaged(self, batch: NamedBatch, staged: Mapping[str, Any] | None) -> dict[int, str]:
        """Return the reasons of the windows that the task before this one has not staged, by their numbers.

        :param staged: the result of that task
        :raises StagingError: it has none, or one of other windows
        """
        from cloudtrail_elasticsearch.pipeline.failures import read_failures

        task, done = self.STAGED_BY
        # Airflow 3.0 passes an object of its own if the task has no result.
        if not isinstance(staged, Mapping):
            raise StagingError(f"{batch.name} was not {done}: see the log of its {task} task.")
        if any(staged[name] != value for name, value in batch.identity.items()):
            raise StagingError(f"{batch.name} was planned again after it was {done}: clear its {task} task.")
        return read_failures(staged["failures"])

    def load_batch(
        self,
        context: Context,
        batch: NamedBatch,
        windows: Sequence[Asked],
        unstaged: Mapping[int, str],
        read_manifest: ReadManifest[Asked],
        store: StateStore,
    ) -> dict[str, Any]:
        """Load the windows and return their cells in a compact form, with the identity of the batch.

        :param unstaged: as of `read_unstaged`
        :param store: keeps the progress for a further attempt
        :raises CoverageError: some windows were not loaded, and a retry would not help; the message names them
        :raises TransientError: some windows were not loaded, and a retry may help
        """
        from cloudtrail_elasticsearch.core.coverage.batch_cells import pack_cells
        from cloudtrail_elasticsearch.pipeline.batch_load import BatchLoad
        from cloudtrail_elasticsearch.pipeline.each_window import EachWindow
        from cloudtrail_elasticsearch.pipeline.failures import group_failures

        run = find_this_run(context)
        load = BatchLoad(read_manifest, self._connect, store, run, self.choose_batch_work(), _count_sent)
        each_window = EachWindow()
        cells: dict[int, VerifiedCell] = {}
        busy: list[tuple[int, Asked]] = []
        _, done = self.STAGED_BY
        for number, reason in unstaged.items():
            each_window.fail(number, windows[number], StagingError(f"it was not {done}: {reason}"))
        with exit_with_supervisor(), load:
            wanted = ((number, each) for number, each in enumerate(windows) if number not in unstaged)
            for number, asked, cell in each_window.run(load.find_quiet, wanted, _MANIFESTS_AT_ONCE):
                if cell is None:
                    busy.append((number, asked))
                else:
                    cells[number] = cell
            busy.sort(key=lambda numbered: numbered[0])
            cells |= {number: loaded for number, _, loaded in each_window.run(load.load, busy, _LOADS_AT_ONCE)}
            self.log.info("%s: %d of %d windows have events.", batch.name, len(busy), len(windows))
            result = batch.identity | pack_cells(cells, run)
            if each_window.failures:
                result |= {"failures": group_failures(each_window.failures), "unstaged": sorted(unstaged)}
            with return_early(context, result):
                each_window.check("loaded", len(windows))
            load.finish()
        return result

    def choose_batch_work(self) -> Work:
        """Return what to do with each window."""
        return self.choose_work()

    def make_ledger(self, server: SearchServer, pattern: str) -> SharedLedger:
        """Return the ledger that records the cells."""
        from cloudtrail_elasticsearch.pipeline.batch_load import SharedLedger

        return SharedLedger(server, pattern)

    def _connect(self) -> tuple[Loader, SharedLedger]:
        pattern = IndexPattern(self.index)
        server = self.connect()
        loader = self.make_loader(server, pattern)
        return loader, self.make_ledger(server, pattern.text)


def _count_sent(window: Window, sent: LoadReport) -> None:
    add_to_counters(window, events_indexed=sent.indexed, events_quarantined=sent.quarantined)
