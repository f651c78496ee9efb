"""The errors of rules and queries."""

from __future__ import annotations

from cloudtrail_elasticsearch.core.errors import LoaderError


class RuleError(LoaderError):
    """A rule cannot be read, converted or evaluated; the message names the part."""


class QuerySyntaxError(RuleError):
    """A text is not a query of the Kibana Query Language; the message has the position."""
