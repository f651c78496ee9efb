"""Our errors, classed by what mends them.

::

    LoaderError
    ├── ConfigurationError        trying again cannot help: something must be changed first
    │   ├── PlanError             the range or the regions asked for cannot be planned
    │   ├── RulesError            a rules or fields file has a mistake
    │   ├── CredentialsError      there are no usable credentials
    │   ├── AccessDeniedError     a permission is missing; the message names it
    │   ├── MappingError          the index set-up cannot be made as asked
    │   └── RefusedError          the search server refuses a request for good
    │       └── TooLargeError     a bulk request is too large: smaller ones are tried
    ├── StagingError              what is staged is not what its manifest says
    ├── CoverageError             a cell is missing or does not add up
    ├── SupersededError           another attempt has taken the place of this one
    ├── ExpiredPageError          a page's token is no longer valid: the fetch goes on by time
    └── TransientError            passes by itself: throttling, 5xx, timeouts, a read-only index
        ├── ExpiredCredentialsError   the next attempt asks for new ones
        └── ThrottledError        the service asked us to slow down
"""


class LoaderError(Exception):
    """The root of every error this package raises on purpose."""


class ConfigurationError(LoaderError):
    """Trying again cannot help: something has to be changed first."""


class PlanError(ConfigurationError):
    """The range of days or the regions asked for cannot be planned."""


class RulesError(ConfigurationError):
    """A rules or fields file has a mistake; the message names the file, the rule and the mistake."""


class CredentialsError(ConfigurationError):
    """There are no usable credentials for AWS or for the search server."""


class AccessDeniedError(ConfigurationError):
    """A permission is missing; the message names it."""


class MappingError(ConfigurationError):
    """The index set-up cannot be made as asked."""


class RefusedError(ConfigurationError):
    """The search server refuses a request for good; `status` is its HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class TooLargeError(RefusedError):
    """The search server finds a request too large; smaller ones may pass."""


class StagingError(LoaderError):
    """A staged object is missing, cut short or altered: it is not what its manifest says."""


class CoverageError(LoaderError):
    """A planned cell is missing, or its counts do not add up."""


class SupersededError(LoaderError):
    """Another attempt has taken the place of this one, which ends."""


class ExpiredPageError(LoaderError):
    """The token of a LookupEvents page is no longer valid."""


class TransientError(LoaderError):
    """Passes by itself: throttling, 5xx, a timeout, a lost connection, an index that is read-only for now."""


class ExpiredCredentialsError(TransientError):
    """The credentials have expired: the next attempt asks for new ones, this one cannot go on."""


class ThrottledError(TransientError):
    """The service asked us to slow down, for longer than this attempt was willing to wait."""
