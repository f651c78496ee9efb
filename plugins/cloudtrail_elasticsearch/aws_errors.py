"""Translates AWS's errors into this package's: temporary faults, missing permissions, wrong set-up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from cloudtrail_elasticsearch.core.errors import (
    AccessDeniedError,
    ClockSkewError,
    ConfigurationError,
    CredentialsError,
    ExpiredCredentialsError,
    ExpiredPageError,
    LoaderError,
    ThrottledError,
    TransientError,
)

_DENIED: Final = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden", "AuthFailure"}
_BAD_CREDENTIALS: Final = {
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_EXPIRED: Final = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}
_SKEWED: Final = {"RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"}
_SIGNATURES: Final = {"SignatureDoesNotMatch", "InvalidSignatureException", "AuthFailure", "IncompleteSignature"}
_SKEWED_SIGNATURE: Final = re.compile(r"Signature (?:expired|not yet current)|not yet current", re.IGNORECASE)
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html"""

_TIMES: Final = re.compile(r"\b\d{8}T\d{6}Z|\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_THROTTLED: Final = {
    "RequestLimitExceeded",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
_TEMPORARY: Final = {
    "InternalError",
    "InternalFailure",
    "RequestTimeout",
    "ServiceUnavailable",
}


@contextmanager
def translate_errors(doing: str, permission: str) -> Iterator[None]:
    """Raise botocore's errors as this package's errors.

    :param doing: the beginning of the error message, such as ``Reading s3://bucket/key``
    :param permission: the IAM permission that the call needs
    :raises AccessDeniedError: the permission is missing
    :raises CredentialsError: no credentials were found, or AWS does not accept them
    :raises ExpiredPageError: a page's token is no longer valid
    :raises ClockSkewError: AWS rejects the request because this machine's clock is wrong
    :raises TransientError: throttling, 5xx, a timeout, a lost connection, expired credentials
    :raises ConfigurationError: AWS rejects the request for any other reason
    """
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        ConnectionError,  # noqa: A004 - botocore's own, which HTTPClientError does not include
        CredentialRetrievalError,
        HTTPClientError,
        IncompleteReadError,
        NoCredentialsError,
        PartialCredentialsError,
        SSLError,
    )

    try:
        yield
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise CredentialsError(
            f"{doing}: no AWS credentials were found ({error}). Add them to the Airflow connection of type aws, "
            f"or give them to the worker (a role, AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)."
        ) from error
    except ClientError as error:
        raise _translate_answer(doing, permission, error.response) from error
    # One of the ConnectionErrors below, but a retry cannot fix it.
    except SSLError as error:
        raise ConfigurationError(f"{doing}: AWS's TLS certificate is not trusted: {error}") from error
    # Credentials can come from a service, which can fail for a moment, too.
    except (HTTPClientError, ConnectionError, CredentialRetrievalError, IncompleteReadError) as error:
        raise TransientError(f"{doing}: AWS cannot be reached: {error}") from error
    except BotoCoreError as error:
        raise ConfigurationError(f"{doing}: {error}") from error


def _translate_answer(doing: str, permission: str, answer: dict[str, Any]) -> LoaderError:
    error = answer.get("Error", {})
    code = str(error.get("Code", ""))
    message = str(error.get("Message", "")) or "no reason given"
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    # EC2 uses this code for expired credentials, too: https://docs.aws.amazon.com/ec2/latest/devguide/errors-overview.html
    if code == "RequestExpired" and len(_TIMES.findall(message)) < 2:
        return ExpiredCredentialsError(
            f"{doing}: the AWS credentials have expired, or this machine's clock is wrong ({code}); the next "
            f"attempt requests new credentials."
        )
    # First, because AWS reports clock skew with the codes of wrong signatures, too.
    if is_skewed(code, message):
        return ClockSkewError(_describe_skew(doing, code, message, error))
    if code == "NoSuchBucket":
        return ConfigurationError(
            f"{doing}: the bucket {error.get('BucketName', '')} does not exist. Create it, or set another bucket "
            f"in the Airflow variable cloudtrail_staging_bucket or in the operator's argument bucket."
        )
    return make_error(doing, permission, code, message, status)


def is_temporary(code: str) -> bool:
    """Return whether an error code means a temporary fault."""
    return code in _TEMPORARY or code in _THROTTLED


def is_skewed(code: str, message: str) -> bool:
    """Return whether AWS rejected a request because of its time, which comes from this machine's clock."""
    # A wrong signature usually means wrong keys; only AWS's message shows that the time was wrong.
    return code in _SKEWED or (code in _SIGNATURES and _SKEWED_SIGNATURE.search(message) is not None)


def _describe_skew(doing: str, code: str, message: str, error: dict[str, Any]) -> str:
    """Return the message for clock skew; S3 returns both times as members of the error, others in its message."""
    named = {name: str(error[name]) for name in ("RequestTime", "ServerTime") if error.get(name)}
    times = _TIMES.findall(message)
    if len(named) == 2:
        both = f"this machine's time is {named['RequestTime']}, AWS's {named['ServerTime']}"
    elif len(times) >= 2:
        # AWS names the signature's time first, and its own last.
        both = f"this machine's time is {times[0]}, AWS's {times[-1]}"
    else:
        both = f"AWS returned no times ({code})"
    return (
        f"{doing}: AWS rejected the request because of clock skew: {both}. Synchronise this machine's clock "
        f"(NTP); the next attempt resumes this one."
    )


def make_error(doing: str, permission: str, code: str, message: str, status: int = 0) -> LoaderError:
    """Return this package's error for an AWS error code."""
    # An answer without a body, to HEAD for example, has only its status as the code.
    if code in _DENIED or (status == 403 and code == "403"):
        return AccessDeniedError(
            f"{doing}: AWS denied the request. The permission {permission} is missing; minimal_policy.json lists "
            f"all that are needed. AWS's message: {message}"
        )
    if code in _BAD_CREDENTIALS:
        return CredentialsError(f"{doing}: AWS does not accept the credentials ({code}): {message}")
    if code in _EXPIRED:
        return ExpiredCredentialsError(
            f"{doing}: the AWS credentials have expired; the next attempt requests new ones."
        )
    if code == "InvalidNextTokenException":
        return ExpiredPageError(f"{doing}: the page's token has expired: {message}")
    if code in _THROTTLED or status == 429:
        return ThrottledError(f"{doing}: AWS throttled every retry ({code}).")
    if code in _TEMPORARY or status >= 500:
        return TransientError(f"{doing}: AWS has a temporary fault ({code or status}): {message}")
    return ConfigurationError(f"{doing}: AWS rejected the request ({code or status}): {message}")
