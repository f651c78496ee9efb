"""AWS's own verification of a trail, ``aws cloudtrail validate-logs``, as an oracle for tests.

https://docs.aws.amazon.com/cli/latest/reference/cloudtrail/validate-logs.html
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from devstack.aws_cli import install_aws_cli
from devstack.simulator.trails.trail import Trail

VALID: Final = "valid"

_FINDING = re.compile(
    r"(?P<backfill>\(backfill\) )?(?P<what>Digest|Log) file\ts3://(?P<bucket>[^/\t]+)/(?P<key>[^\t]+)\t"
    r"(?:(?P<valid>valid)|INVALID: (?P<reason>.+))"
)
_GAP = re.compile(
    r"(?:\(backfill\) )?No log files were delivered by CloudTrail between (?P<start>\S+) and (?P<end>\S+)"
)


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """The verdict on one object: `VALID`, or the reason why it is invalid, in aws-cli's words."""

    key: str
    verdict: str
    is_digest: bool
    is_backfill: bool

    @property
    def is_valid(self) -> bool:
        """Whether the object is valid."""
        return self.verdict == VALID


@dataclass(frozen=True, slots=True)
class Validation:
    """The verdicts on all objects of an account and region, and the times without a digest between two chains.

    `succeeded` is the verdict on the whole, which the exit status of aws-cli gives.
    """

    findings: frozenset[Finding]
    gaps: frozenset[tuple[str, str]]
    succeeded: bool

    def invalid(self) -> dict[str, str]:
        """Return the reasons by the keys of the invalid objects."""
        return {finding.key: finding.verdict for finding in self.findings if not finding.is_valid}

    def valid(self) -> set[str]:
        """Return the keys of the valid objects."""
        return {finding.key for finding in self.findings if finding.is_valid}


class ValidateLogsError(RuntimeError):
    """aws-cli ended without a verdict; the message quotes its output."""


@dataclass(frozen=True, slots=True)
class ValidateLogs:
    """Runs aws-cli against local services.

    :param cloudtrail: the URL of ListPublicKeys and DescribeTrails
    :param aws: the URL of S3 and Organizations
    """

    cloudtrail: str
    aws: str

    def run(self, trail: Trail, account: str, region: str, start: datetime, end: datetime) -> Validation:
        """Return aws-cli's verdicts on the digests that end from `start` on, and on their log files.

        aws-cli takes the digests that end within an hour after `end`, too. It verifies one account and Region.

        :raises ValidateLogsError: it ends without a verdict
        """
        command = [
            str(install_aws_cli()),
            *("cloudtrail", "validate-logs", "--verbose", "--region", region, "--endpoint-url", self.cloudtrail),
            *("--trail-arn", trail.arn, "--account-id", account),
            *("--start-time", f"{start:%Y-%m-%dT%H:%M:%SZ}", "--end-time", f"{end:%Y-%m-%dT%H:%M:%SZ}"),
        ]
        done = subprocess.run(command, env=self._environment(), capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1) or "Results requested" not in done.stdout:
            raise ValidateLogsError(f"aws-cli ended with {done.returncode}: {done.stdout}{done.stderr}")
        lines = [*done.stdout.splitlines(), *done.stderr.splitlines()]
        gaps = ((match["start"], match["end"]) for match in map(_GAP.match, lines) if match)
        return Validation(frozenset(_findings(lines)), frozenset(gaps), done.returncode == 0)

    def _environment(self) -> dict[str, str]:
        keep = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}
        return {
            **keep,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_S3": self.aws,
            "AWS_ENDPOINT_URL_ORGANIZATIONS": self.aws,
        }


def describe_organization(endpoint_url: str) -> str:
    """Return the id of the organization of moto's account, which is created if there is none.

    aws-cli looks for the digests of an organization's trail in the folder of this id.
    """
    import boto3

    client = boto3.client("organizations", endpoint_url=endpoint_url, region_name="us-east-1")
    with contextlib.suppress(client.exceptions.AlreadyInOrganizationException):
        client.create_organization(FeatureSet="ALL")
    return str(client.describe_organization()["Organization"]["Id"])


def _findings(lines: list[str]) -> Iterator[Finding]:
    for match in map(_FINDING.fullmatch, lines):
        if match:
            verdict = match["valid"] or match["reason"]
            yield Finding(match["key"], verdict, match["what"] == "Digest", match["backfill"] is not None)
