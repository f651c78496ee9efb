"""AWS's errors, told in ours: what passes by itself, what is denied, and what must be set up differently."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from cloudtrail_elasticsearch.core.errors import (
    AccessDeniedError,
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
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_EXPIRED: Final = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_THROTTLED: Final = {
    "RequestLimitExceeded",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
_PASSING: Final = {
    "InternalError",
    "InternalFailure",
    "RequestTimeout",
    "ServiceUnavailable",
}


@contextmanager
def told(doing: str, permission: str) -> Iterator[None]:
    """Tell errors of botocore in ours; `doing` begins the sentence, `permission` is what the call needs.

    :raises AccessDeniedError: the permission is missing
    :raises CredentialsError: there are no credentials, or AWS does not know them
    :raises ExpiredPageError: a page's token is no longer valid
    :raises TransientError: throttling, 5xx, a timeout, a lost connection, expired credentials
    :raises ConfigurationError: anything else that AWS refuses
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
            f"{doing}: there are no AWS credentials ({error}). Give them in the Airflow connection of type aws, "
            f"or to the worker (a role, AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)."
        ) from error
    except ClientError as error:
        raise _from_answer(doing, permission, error.response) from error
    except SSLError as error:
        raise ConfigurationError(f"{doing}: AWS's certificate is not trusted: {error}") from error
    except (HTTPClientError, ConnectionError, CredentialRetrievalError, IncompleteReadError) as error:
        raise TransientError(f"{doing}: AWS cannot be reached: {error}") from error
    except BotoCoreError as error:
        raise ConfigurationError(f"{doing}: {error}") from error


def _from_answer(doing: str, permission: str, answer: dict[str, Any]) -> LoaderError:
    code = str(answer.get("Error", {}).get("Code", ""))
    message = str(answer.get("Error", {}).get("Message", "")) or "no reason given"
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _DENIED or (status == 403 and code == "403"):
        return AccessDeniedError(
            f"{doing}: AWS denies it; the permission {permission} is missing (minimal_policy.json has all that "
            f"are needed): {message}"
        )
    if code in _BAD_CREDENTIALS:
        return CredentialsError(f"{doing}: AWS does not accept the credentials ({code}): {message}")
    if code in _EXPIRED:
        return ExpiredCredentialsError(
            f"{doing}: the AWS credentials have expired; the next attempt asks for new ones."
        )
    if code == "NoSuchBucket":
        return ConfigurationError(
            f"{doing}: the bucket {answer['Error'].get('BucketName', '')} does not exist. Create it, or name "
            f"another one in CLOUDTRAIL_STAGING_BUCKET or the operator's bucket."
        )
    if code == "InvalidNextTokenException":
        return ExpiredPageError(f"{doing}: the page's token is no longer valid: {message}")
    if code in _THROTTLED or status == 429:
        return ThrottledError(f"{doing}: AWS asks to slow down ({code}), however often it was tried again.")
    if code in _PASSING or status >= 500:
        return TransientError(f"{doing}: AWS has a passing fault ({code or status}): {message}")
    return ConfigurationError(f"{doing}: AWS refuses it ({code or status}): {message}")
