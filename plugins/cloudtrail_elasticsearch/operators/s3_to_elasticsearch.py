"""Load: staged parts through the rules into Elasticsearch or OpenSearch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context

from cloudtrail_elasticsearch.core.errors import ConfigurationError, StagingError
from cloudtrail_elasticsearch.core.mapping import DEFAULT_INDEX, IndexPattern
from cloudtrail_elasticsearch.core.own import OwnEvents
from cloudtrail_elasticsearch.core.rules import load_rules
from cloudtrail_elasticsearch.core.shape import STRATEGIES, Shape, build, read_fields
from cloudtrail_elasticsearch.operators.base import WindowOperator, configured, is_true
from cloudtrail_elasticsearch.operators.context import state_store, this_run
from cloudtrail_elasticsearch.operators.metrics import count
from cloudtrail_elasticsearch.operators.retries import fails_for_good
from cloudtrail_elasticsearch.operators.supervision import ends_with_its_supervisor

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from cloudtrail_elasticsearch.core.coverage import Cell
    from cloudtrail_elasticsearch.core.index_setup import SearchServer
    from cloudtrail_elasticsearch.pipeline.load import WindowLoad


class S3ToElasticsearchOperator(WindowOperator):
    """Loads a staged window and asks the server what it holds of it; returns the cell's figures.

    A window that is loaded already, and of which the server has every document, costs no bulk request,
    unless `force` is true.

    :param index: the index, with ``%Y``, ``%m``, ``%d`` of the event's time
    :param mapping: ``typed`` or ``flattened``
    :param ecs: whether the envelope has the names of the Elastic Common Schema too
    :param rules_file: a rules file of your own; where none is given, the one that the Airflow variable
        ``cloudtrail_rules_file`` names
    :param fields_file: a list of further paths to have fields of their own; where none is given, the one that the
        Airflow variable ``cloudtrail_fields_file`` names
    :param own_events: what becomes of the loader's own LookupEvents calls: ``keep``, ``mark`` or ``leave-out``
    :param replay: load just the window's quarantined events again (``true`` or ``false``)
    :param verify: load nothing, and ask the server again what it holds of the window (``true`` or ``false``)
    :param search_conn_id: the connection to the search server
    """

    template_fields: Sequence[str] = (
        *WindowOperator.template_fields,
        "index",
        "mapping",
        "ecs",
        "rules_file",
        "fields_file",
        "own_events",
        "replay",
        "verify",
    )
    ui_color = "#d9f0e3"

    def __init__(
        self,
        *,
        index: str = DEFAULT_INDEX,
        mapping: str = "typed",
        ecs: str | bool = True,
        rules_file: str | None = None,
        fields_file: str | None = None,
        own_events: str = OwnEvents.KEEP,
        replay: str | bool = False,
        verify: str | bool = False,
        search_conn_id: str = "elasticsearch_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.index = index
        self.mapping = mapping
        self.ecs = ecs
        self.rules_file = rules_file
        self.fields_file = fields_file
        self.own_events = own_events
        self.replay = replay
        self.verify = verify
        self.search_conn_id = search_conn_id
        self._server: SearchServer | None = None

    @fails_for_good
    def execute(self, context: Context) -> dict[str, Any]:
        """Load the window and return its `Cell` as plain values.

        One without events asks nothing of the server: what it returns is `Verified`, for the coverage to note.

        :raises StagingError: what is staged is not what the manifest says
        :raises TransientError: the server does not recover in time
        """
        from cloudtrail_elasticsearch.core.load import Loader
        from cloudtrail_elasticsearch.hooks.search import SearchHook
        from cloudtrail_elasticsearch.pipeline.load import WindowLoad, quiet

        window, staging = self.planned_window(), self.staging(self.aws())
        manifest = staging.manifest(window)
        if manifest is None:
            raise StagingError(f"{window.name} is not staged in {staging.uri(window)}: run its fetch task first.")
        if not manifest.parts:
            self.log.info("%s has no events: the search server is not asked.", window.name)
            return quiet(manifest, this_run(context)).to_dict()
        server = self._server = SearchHook(self.search_conn_id).get_conn()
        loader = Loader(server, IndexPattern(self.index), self._shape(), own_events=self._own_events())
        store = state_store(context, staging, window, self.task_id)
        load = WindowLoad(manifest, staging, loader, store, this_run(context))
        try:
            with ends_with_its_supervisor():
                return self._work(load)().to_dict()
        finally:
            count(window, events_indexed=load.sent.indexed, events_quarantined=load.sent.quarantined)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:  # noqa: ARG002 - its name
        """Return what was read and written; OpenLineage's provider asks for it, where it is installed."""
        from cloudtrail_elasticsearch.operators import lineage

        return lineage.of_load(self.staged_uri(), self._server, self.index)

    def _work(self, load: WindowLoad) -> Callable[[], Cell]:
        if is_true(self.verify):
            return load.verify
        if is_true(self.replay):
            return load.replay
        return load.load_again if self.forced else load.load

    def _own_events(self) -> OwnEvents:
        try:
            return OwnEvents(self.own_events)
        except ValueError as error:
            raise ConfigurationError(
                f"own_events is {self.own_events!r}: it is {', '.join(OwnEvents)}."
            ) from error

    def _shape(self) -> Shape:
        for strategy in STRATEGIES:
            if strategy == self.mapping:
                rules_file = configured(self.rules_file, "cloudtrail_rules_file")
                fields_file = configured(self.fields_file, "cloudtrail_fields_file")
                rules = load_rules([Path(rules_file)] if rules_file else [])
                fields = read_fields(Path(fields_file)) if fields_file else ()
                return build(strategy, rules, fields, ecs=is_true(self.ecs))
        raise ConfigurationError(f"mapping is {self.mapping!r}: it is {' or '.join(STRATEGIES)}.")
