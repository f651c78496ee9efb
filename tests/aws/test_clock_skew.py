"""Requests that AWS rejects because of their time: the error is about the clock, not about credentials."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from cloudtrail_elasticsearch.aws_errors import translate_errors
from cloudtrail_elasticsearch.core.errors import (
    ClockSkewError,
    CredentialsError,
    ExpiredCredentialsError,
    LoaderError,
)

OURS, THEIRS = "20261128T100000Z", "20261128T103000Z"
MESSAGES = {
    "RequestExpired": "Request has expired. Timestamp date is 2026-11-28T10:00:00Z. Current date is "
    "2026-11-28T10:30:00Z",
    "RequestTimeTooSkewed": "The difference between the request time and the current time is too large.",
    "SignatureDoesNotMatch": f"Signature expired: {OURS} is now earlier than 20261128T102500Z ({THEIRS} - 5 min.)",
    "InvalidSignatureException": f"Signature not yet current: {OURS} is still later than 20261128T092500Z "
    f"({THEIRS} + 5 min.)",
}


def raised(code: str, message: str, **members: Any) -> LoaderError:
    client = boto3.client("sts", region_name="us-east-1")
    with Stubber(client) as stubber:
        stubber.add_client_error("get_caller_identity", code, message, 403, expected_params={})
        stubber._queue[-1]["response"][1]["Error"] |= members
        with pytest.raises(LoaderError) as caught, translate_errors("Asking who we are", "sts:GetCallerIdentity"):
            client.get_caller_identity()
    return caught.value


@pytest.mark.parametrize("code", MESSAGES)
def test_clock_skew_is_reported_as_a_clock_error(code: str) -> None:
    """The error says what to do; another attempt may find the clock corrected."""
    error = raised(code, MESSAGES[code])
    assert isinstance(error, ClockSkewError)
    assert "clock skew" in str(error)
    assert "Synchronise this machine's clock (NTP)" in str(error)


@pytest.mark.parametrize(
    ("code", "ours", "theirs"),
    [
        ("RequestExpired", "2026-11-28T10:00:00Z", "2026-11-28T10:30:00Z"),
        ("SignatureDoesNotMatch", OURS, THEIRS),
        ("InvalidSignatureException", OURS, THEIRS),
    ],
)
def test_both_times_are_named(code: str, ours: str, theirs: str) -> None:
    """As AWS's message has them."""
    assert f"this machine's time is {ours}, AWS's {theirs}" in str(raised(code, MESSAGES[code]))


def test_s3_names_the_times_beside_its_message() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"""
    code = "RequestTimeTooSkewed"
    error = raised(code, MESSAGES[code], RequestTime=OURS, ServerTime="2026-11-28T10:30:00Z")
    assert f"this machine's time is {OURS}, AWS's 2026-11-28T10:30:00Z" in str(error)


def test_other_signature_errors_are_about_credentials() -> None:
    """A wrong secret key, and expired credentials."""
    wrong = "The request signature we calculated does not match the signature you provided."
    assert isinstance(raised("SignatureDoesNotMatch", wrong), CredentialsError)
    assert isinstance(raised("InvalidSignatureException", wrong), CredentialsError)
    assert isinstance(raised("ExpiredToken", "The security token has expired"), ExpiredCredentialsError)
    # EC2's answer to an expired session has no times.
    assert isinstance(raised("RequestExpired", "Request has expired."), ExpiredCredentialsError)
