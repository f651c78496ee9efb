"""The errors of the wire protocol, each with its code, HTTP status and message.

https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html#API_LookupEvents_Errors
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(eq=False)
class ApiError(Exception):
    """An answer that is an error."""

    code: str
    message: str
    status: int = 400


def throttled() -> ApiError:
    """Return the answer above the quota."""
    return ApiError("ThrottlingException", "Rate exceeded")


def unknown_operation(target: str) -> ApiError:
    """Return the answer to an unknown operation."""
    return ApiError("UnknownOperationException", f"No such operation: {target!r}")


def unreadable_body() -> ApiError:
    """Return the answer to a body that is not a JSON object."""
    return ApiError("SerializationException", "The request body is not a JSON object")


def unsigned() -> ApiError:
    """Return the answer to a request without a signature."""
    return ApiError("MissingAuthenticationTokenException", "Missing Authentication Token")


def incomplete_signature() -> ApiError:
    """Return the answer to an Authorization header that is not of Signature Version 4."""
    return ApiError("IncompleteSignatureException", "Authorization header requires a Credential of five parts")


def unrecognized_client() -> ApiError:
    """Return the answer to credentials that are not valid (in this region)."""
    return ApiError("UnrecognizedClientException", "The security token included in the request is invalid.")


def expired_credentials() -> ApiError:
    """Return the answer to expired temporary credentials."""
    return ApiError("ExpiredTokenException", "The security token included in the request is expired")


def access_denied(caller: str, action: str) -> ApiError:
    """Return the answer to a caller (an ARN) without the permission for an action."""
    return ApiError(
        "AccessDeniedException",
        f"User: {caller} is not authorized to perform: {action}"
        f" because no identity-based policy allows the {action} action",
    )


def role_not_assumed(caller: str, role: str) -> ApiError:
    """Return the answer to a caller that may not assume a role, or to the ARN of a role that does not exist."""
    return ApiError(
        "AccessDeniedException",
        f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {role}",
    )


def organization_denied() -> ApiError:
    """Return Organizations' answer to an account that is neither the management account nor an administrator."""
    return ApiError("AccessDeniedException", "You don't have permissions to access this resource.")


def no_organization() -> ApiError:
    """Return Organizations' answer to an account without an organization."""
    return ApiError("AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")


def invalid_input(reason: str) -> ApiError:
    """Return Organizations' answer to an invalid parameter."""
    return ApiError("InvalidInputException", reason)


def invalid_parameter(reason: str) -> ApiError:
    """Return STS's answer to an invalid parameter."""
    return ApiError("ValidationError", reason)


def internal_failure() -> ApiError:
    """Return the answer of a service that failed."""
    return ApiError("InternalFailure", "The request processing has failed", 500)


def unavailable() -> ApiError:
    """Return the answer of a service that is down."""
    return ApiError("ServiceUnavailable", "The request has failed due to a temporary failure of the server", 503)


def invalid_token(reason: str) -> ApiError:
    """Return the answer to a NextToken that does not fit."""
    return ApiError("InvalidNextTokenException", f"Invalid NextToken: {reason}")


def invalid_time_range(reason: str) -> ApiError:
    """Return the answer to an invalid time range."""
    return ApiError("InvalidTimeRangeException", reason)


def trail_not_found(name: str, account: str) -> ApiError:
    """Return the answer to the name or ARN of a trail that does not exist here."""
    return ApiError("TrailNotFoundException", f"Unknown trail: {name} for the user: {account}")


def invalid_trail_name(name: object) -> ApiError:
    """Return the answer to a text that cannot be the name of a trail."""
    return ApiError("InvalidTrailNameException", f"Trail name or ARN is not valid: {name!r}")


def invalid_trail_arn(arn: str) -> ApiError:
    """Return the answer to a text that begins like an ARN and is not that of a trail."""
    return ApiError("CloudTrailARNInvalidException", f"Trail ARN is not valid: {arn}")


def invalid_attributes(reason: str) -> ApiError:
    """Return the answer to invalid lookup attributes."""
    return ApiError("InvalidLookupAttributesException", reason)


def invalid_category(category: object) -> ApiError:
    """Return the answer to an event category other than `insight`."""
    return ApiError("InvalidEventCategoryException", f"Invalid event category: {category!r}")


def invalid_max_results(value: object) -> ApiError:
    """Return the answer to a page size out of range."""
    return ApiError("InvalidMaxResultsException", f"MaxResults must be from 1 to 50, not {value!r}")
