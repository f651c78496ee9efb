"""The base of the load tasks: the search server, and the form of the documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cloudtrail_elasticsearch.core.documents.declared_fields import read_fields
from cloudtrail_elasticsearch.core.documents.own_events import OwnEvents
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES, Schema
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.errors import ConfigurationError
from cloudtrail_elasticsearch.core.index.index_pattern import DEFAULT_INDEX, IndexPattern
from cloudtrail_elasticsearch.core.index.index_settings import IndexSettings
from cloudtrail_elasticsearch.operators.base import StagingOperator, is_true
from cloudtrail_elasticsearch.operators.enrichment import open_enrichment
from cloudtrail_elasticsearch.operators.rules_folder import find_user_file

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.coverage.cells import Cell
    from cloudtrail_elasticsearch.core.loading.loader import Loader
    from cloudtrail_elasticsearch.core.search.sender import LoadSettings
    from cloudtrail_elasticsearch.core.search.server import SearchServer
    from cloudtrail_elasticsearch.pipeline.load import WindowLoad


class LoadingOperator(StagingOperator):
    """Sends events to a search server.

    :param index: the index name; ``%Y``, ``%m``, ``%d`` stand for the date of the event
    :param mapping: ``typed`` or ``flattened``
    :param ecs: whether to write the envelope to the fields of the Elastic Common Schema too
    :param texts: whether to index the open objects, such as ``requestParameters``, as one text each, too
    :param rules_file: an additional rules file, below the folder that Airflow's configuration sets
        (``[cloudtrail] rules_folder``); None: the file that the Airflow variable ``cloudtrail_rules_file`` names
    :param fields_file: a file of additional declared fields, below the same folder; None: the file that the
        Airflow variable ``cloudtrail_fields_file`` names
    :param enrichment: what to enrich documents with: an object with the members of `EnrichmentSettings`, or its
        JSON; None: the value of the Airflow variable ``cloudtrail_enrichment``. The databases are below the folder
        that Airflow's configuration sets (``[cloudtrail] databases_folder``)
    :param own_events: how to treat the events of the loader's own calls: ``keep``, ``mark`` or ``leave-out``
    :param shards: the number of primary shards of new indices; empty: the server's default.
        `replicas`, `lifecycle` (the name of a lifecycle policy) and `pipeline` (the name of an ingest pipeline)
        apply to new indices only, too. A ``@custom`` component prevails over them
    :param replay: load only the window's quarantined events again (``true`` or ``false``)
    :param verify: load nothing, but count the window's documents on the server again (``true`` or ``false``)
    :param force: load again even if the events are already loaded
    :param search_conn_id: the connection to the search server
    """

    template_fields: Sequence[str] = (
        "index",
        "mapping",
        "ecs",
        "texts",
        "rules_file",
        "fields_file",
        "enrichment",
        "own_events",
        "shards",
        "replicas",
        "lifecycle",
        "pipeline",
        "replay",
        "verify",
        "force",
    )
    ui_color = "#d9f0e3"

    def __init__(
        self,
        *,
        index: str = DEFAULT_INDEX,
        mapping: str = "typed",
        ecs: str | bool = True,
        texts: str | bool = False,
        rules_file: str | None = None,
        fields_file: str | None = None,
        enrichment: Mapping[str, Any] | str | None = None,
        own_events: str = OwnEvents.KEEP,
        shards: str | int | None = None,
        replicas: str | int | None = None,
        lifecycle: str | None = None,
        pipeline: str | None = None,
        replay: str | bool = False,
        verify: str | bool = False,
        force: str | bool = False,
        search_conn_id: str = "elasticsearch_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.index = index
        self.mapping = mapping
        self.ecs = ecs
        self.texts = texts
        self.rules_file = rules_file
        self.fields_file = fields_file
        self.enrichment = enrichment
        self.own_events = own_events
        self.shards = shards
        self.replicas = replicas
        self.lifecycle = lifecycle
        self.pipeline = pipeline
        self.replay = replay
        self.verify = verify
        self.force = force
        self.search_conn_id = search_conn_id
        # Kept for the lineage, which OpenLineage requests after the task.
        self._server: SearchServer | None = None

    def connect(self) -> SearchServer:
        """Return the search server.

        :raises ConfigurationError: the connection is incomplete or wrong
        """
        from cloudtrail_elasticsearch.hooks.search import SearchHook

        self._server = SearchHook(self.search_conn_id).get_conn()
        return self._server

    def make_loader(
        self, server: SearchServer, pattern: IndexPattern, settings: LoadSettings | None = None
    ) -> Loader:
        """Return a loader for an index pattern.

        :param settings: the sizes and the patience of the load; None: those of a daily run
        :raises ConfigurationError: the mapping, the rules, the enrichment, `own_events` or a setting is wrong
        """
        from cloudtrail_elasticsearch.core.loading.loader import Loader
        from cloudtrail_elasticsearch.core.search.sender import LoadSettings

        chosen = IndexSettings.parse(
            shards=self.shards, replicas=self.replicas, lifecycle=self.lifecycle, pipeline=self.pipeline
        )
        schema = self._build_schema()
        if schema.ecs:
            schema = replace(schema, enrichment=open_enrichment(self.enrichment, server))
        if is_true(self.force):
            settings = replace(settings or LoadSettings(), renews_enrichment=True)
        return Loader(server, pattern, schema, settings, self._read_own_events(), chosen)

    def choose_work(self) -> Callable[[WindowLoad], Cell]:
        """Return what to do with a window."""
        from cloudtrail_elasticsearch.pipeline.load import WindowLoad

        if is_true(self.verify):
            return WindowLoad.verify
        if is_true(self.replay):
            return WindowLoad.replay
        return WindowLoad.load_again if is_true(self.force) else WindowLoad.load

    def _read_own_events(self) -> OwnEvents:
        try:
            return OwnEvents(self.own_events)
        except ValueError as error:
            raise ConfigurationError(
                f"own_events is {self.own_events!r}: choose from {', '.join(OwnEvents)}."
            ) from error

    def _build_schema(self) -> Schema:
        for strategy in STRATEGIES:
            # The loop gives the text the type of a strategy.
            if strategy == self.mapping:
                rules_file = find_user_file(self.rules_file, "rules_file")
                fields_file = find_user_file(self.fields_file, "fields_file")
                rules = load_rules([rules_file] if rules_file else [])
                fields = read_fields(fields_file) if fields_file else ()
                return build_schema(strategy, rules, fields, ecs=is_true(self.ecs), texts=is_true(self.texts))
        raise ConfigurationError(f"mapping is {self.mapping!r}: choose {' or '.join(STRATEGIES)}.")
