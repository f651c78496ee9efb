"""The loader's errors, grouped by what resolves them.

::

    LoaderError
    ├── ConfigurationError        a retry cannot help: something must be changed first
    │   ├── PlanError             the requested days or regions cannot be planned
    │   ├── RulesError            a rules or fields file has a mistake
    │   ├── EnrichmentError       a database or a list for enrichment cannot be used
    │   ├── CredentialsError      there are no usable credentials
    │   ├── AccessDeniedError     a permission is missing; the message names it
    │   │   └── RoleRefusedError  the role of an account cannot be assumed
    │   ├── FileError             a file, or a part of it, cannot be read as CloudTrail events
    │   ├── MappingError          an index or a template cannot be set up as configured
    │   └── RejectedRequestError  the search server rejects a request; a retry gives the same answer
    │       └── TooLargeError     a bulk request is too large: the loader sends smaller ones
    ├── StagingError              a staged object differs from its entry in the manifest
    ├── CoverageError             a cell is missing or does not add up
    ├── SupersededError           another attempt has replaced this one
    ├── ExpiredPageError          a page's token is no longer valid: its slice is divided and looked up again
    └── TransientError            a retry can succeed: throttling, 5xx, timeouts, a read-only index
        ├── ClockSkewError        this machine's clock is wrong: somebody may correct it
        ├── ExpiredCredentialsError   the next attempt requests new credentials
        ├── UnexpectedAnswerError     not the answer of a search server: a proxy's, for example
        ├── StuckLookupError      a LookupEvents query makes no progress: the next attempt starts a new query
        └── ThrottledError        the service throttles this client
"""

from __future__ import annotations

from cloudtrail_elasticsearch.core.log_text import escape_controls


class LoaderError(Exception):
    """The base class of every error that this package raises on purpose.

    Its text has no control characters: parts of it come from servers and events, and it is written to logs.
    """

    def __str__(self) -> str:
        return escape_controls(super().__str__())


class ConfigurationError(LoaderError):
    """A retry cannot help: something must be changed first."""


class PlanError(ConfigurationError):
    """The requested days or regions cannot be planned."""


class RulesError(ConfigurationError):
    """A rules or fields file has a mistake; the message names the file, the rule and the mistake."""


class EnrichmentError(ConfigurationError):
    """A database or a list that documents are enriched from is missing, broken or wrong; the message names it."""


class CredentialsError(ConfigurationError):
    """There are no usable credentials for AWS or for the search server."""


class AccessDeniedError(ConfigurationError):
    """A permission is missing; the message names it."""


class RoleRefusedError(AccessDeniedError):
    """The role of an account cannot be assumed; the message names it and the statement to add."""


class FileError(ConfigurationError):
    """A file, or a part of it, cannot be read as CloudTrail events; the message never quotes its content."""


class MappingError(ConfigurationError):
    """An index or an index template cannot be set up as configured."""


class RejectedRequestError(ConfigurationError):
    """The search server rejects a request, and a retry would give the same answer; `status` is the HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class TooLargeError(RejectedRequestError):
    """A request is too large for the search server; smaller ones may be accepted."""


class StagingError(LoaderError):
    """A staged object is missing, truncated or altered: it differs from its entry in the manifest."""


class CoverageError(LoaderError):
    """A planned cell is missing, or its counts do not add up."""


class SupersededError(LoaderError):
    """Another attempt has replaced this one, so this one ends."""


class ExpiredPageError(LoaderError):
    """The token of a LookupEvents page is no longer valid."""


class TransientError(LoaderError):
    """A retry can succeed: throttling, 5xx, a timeout, a lost connection, an index that is read-only for now."""


class ClockSkewError(TransientError):
    """AWS rejects a request because this machine's clock is wrong; the message has both times if AWS sent them."""


class StuckLookupError(TransientError):
    """A LookupEvents query makes no progress, so it was abandoned; the next attempt starts a new query."""


class ExpiredCredentialsError(TransientError):
    """The credentials have expired: this attempt cannot continue, and the next one requests new credentials."""


class UnexpectedAnswerError(TransientError):
    """An answer that no search server gives to this request; `status` is its HTTP status."""

    def __init__(self, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.status = status


class ThrottledError(TransientError):
    """The service throttled this client for longer than the configured patience."""
