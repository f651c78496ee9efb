"""Creates an index of events with its whole content: the loader's, the run's choices, and the user's components.

The content does not depend on the index template, which other workers write at the same time (ADR-0016).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import LoaderError, MappingError
from cloudtrail_elasticsearch.core.index.component_templates import (
    CustomContent,
    list_custom_names,
    merge_mappings,
    read_custom_content,
)
from cloudtrail_elasticsearch.core.index.event_template import FIXED_MAPPINGS, make_event_settings
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.index.index_settings import IndexSettings
from cloudtrail_elasticsearch.core.index.mapping_diff import (
    Difference,
    compare_mappings,
    drop_dangling_targets,
    shorten_list,
)
from cloudtrail_elasticsearch.core.log_text import safe_text
from cloudtrail_elasticsearch.core.search.answers import send_request
from cloudtrail_elasticsearch.core.search.bulk import ERROR_FIELDS, MISSING_IS_EMPTY
from cloudtrail_elasticsearch.core.search.server import SearchServer

log = logging.getLogger(__name__)


_RECENT: Final = timedelta(days=1)
"""An index of this age or less can lack its policy because the attempt that created it ended early."""

_HAS_POLICY: Final = "already has a policy"
"""A part of the reason that ISM gives if an index has a policy.

https://github.com/opensearch-project/index-management
"""


class _Failed(msgspec.Struct, frozen=True):
    reason: str = ""


class _Attached(msgspec.Struct, frozen=True):
    """The answer to a request that attaches an ISM policy."""

    failures: bool = False
    failed_indices: list[_Failed] = []

    @property
    def reason(self) -> str:
        """The reason that no policy was attached; empty if the index has one now."""
        reasons = [each.reason for each in self.failed_indices if _HAS_POLICY not in each.reason]
        if reasons or (self.failures and not self.failed_indices):
            return "; ".join(filter(None, reasons)) or "the server found no index to attach it to"
        return ""


class _IndexSettings(msgspec.Struct, frozen=True):
    creation_date: str = "0"


class _Settings(msgspec.Struct, frozen=True):
    index: _IndexSettings = _IndexSettings()


class _Created(msgspec.Struct, frozen=True):
    """An index, with the time of its creation."""

    settings: _Settings = _Settings()

    @property
    def is_recent(self) -> bool:
        """Whether it was created within the last day."""
        created = datetime.fromtimestamp(int(self.settings.index.creation_date) / 1000, UTC)
        return datetime.now(UTC) - created < _RECENT


class IndexCreation:
    """Creates the indices of one pattern."""

    def __init__(
        self, server: SearchServer, pattern: IndexPattern, mappings: Mapping[str, Any], settings: IndexSettings
    ) -> None:
        self._server = server
        self._pattern = pattern
        self._mappings = mappings
        self._settings = settings

    def create(self, name: str) -> frozenset[str]:
        """Create an index, and return the paths at which its mapping rejects values of the loader.

        :raises RejectedRequestError: the server rejects it, for example because it exists
        :raises MappingError: a ``@custom`` component makes every document invalid
        """
        # Read for each index, because the user can change them meanwhile; an index is rarely created.
        custom = read_custom_content(self._server, self._pattern)
        self._check(custom)
        meta = {**custom.mappings.get("_meta", {}), **self._mappings["_meta"]}
        ours = self._mappings["properties"]
        difference = compare_mappings(ours, merge_mappings(self._mappings, custom.mappings)["properties"])
        # Of the loader's fields only: aliases and copies of the user are the user's choice.
        own = {**self._mappings, "properties": drop_dangling_targets(ours, difference.rejecting)}
        mappings = {**merge_mappings(own, custom.mappings), **FIXED_MAPPINGS, "_meta": meta}
        settings = {
            **make_event_settings(mappings["properties"]),
            **self._settings.make_content(self._server.engine),
            **custom.settings,
        }
        # Without aliases: the template has them, and a request that names them needs a further right.
        self._server.request("PUT", f"/{name}", codec.encode({"settings": settings, "mappings": mappings}))
        self._report(name, difference)
        if self._policy:
            self._attach_policy(name, self._policy)
        return difference.rejecting

    def complete(self, name: str) -> None:
        """Attach the ISM policy to a recent index without one.

        An attempt can end after it created the index: it was killed, or the server's answer came too late. Older
        indices stay as they are (ADR-0014).
        """
        if not self._policy:
            return
        path = f"/{name}?{MISSING_IS_EMPTY}&filter_path={ERROR_FIELDS},*.settings.index.creation_date"
        found = send_request(self._server, dict[str, _Created], "GET", path)
        # Not for an alias, whose indices somebody else made.
        if name in found and found[name].is_recent:
            self._attach_policy(name, self._policy)

    def explain_rejection(self) -> str:
        """Return where to look for the cause if the server rejects an index."""
        return (
            f"If the reason names a setting or field of yours, correct it in the component template "
            f"{' or '.join(list_custom_names(self._pattern))}, or in the run's params."
        )

    @property
    def _policy(self) -> str | None:
        """The ISM policy of new indices; ILM's is a setting of the index."""
        return self._settings.lifecycle if self._server.engine == "opensearch" else None

    def _check(self, custom: CustomContent) -> None:
        if custom.mappings.get("_routing", {}).get("required") in {True, "true"}:
            raise MappingError(
                f"The component template {' or '.join(list_custom_names(self._pattern))} requires routing values "
                f"(_routing.required), which events do not have: no document would be accepted. Remove it there."
            )

    def _report(self, name: str, difference: Difference) -> None:
        if difference.differing:
            log.warning(
                "The index %s has fields of %s instead of the loader's, at %s. Values that they reject go to "
                "overflow and can be searched there.",
                name,
                " and ".join(list_custom_names(self._pattern)),
                safe_text(shorten_list(difference.differing)),
            )

    def _attach_policy(self, index: str, policy: str) -> None:
        """Attach an ISM policy to an index, unless it has one.

        Not by the policy's own `ism_template`, whose wildcards would match indices of others (ADR-0016).

        https://docs.opensearch.org/latest/im-plugin/ism/api/#add-policy
        """
        path = f"/_plugins/_ism/add/{index}"
        try:
            answer = send_request(self._server, _Attached, "POST", path, codec.encode({"policy_id": policy}))
        except LoaderError as error:
            why = str(error)
        else:
            why = answer.reason
        if why:
            # Not an error: the index exists, and its documents do not depend on the policy.
            log.warning(
                "The lifecycle policy %s is not attached to the index %s: %s. Remove the cause, then send POST %s "
                'with {"policy_id": "%s"}.',
                safe_text(policy),
                index,
                safe_text(why),
                path,
                safe_text(policy),
            )
