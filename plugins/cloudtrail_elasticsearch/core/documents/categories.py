"""ECS ``event.category`` and ``event.type`` of a call, by the name of its operation.

The values are those that Elastic's integration documents for CloudTrail; operations without an entry are ``info``.

https://www.elastic.co/docs/reference/ecs/ecs-category-field-values-reference
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

OTHER: Final = {"type": ["info"]}

_OPERATIONS: Final = {
    ("authentication", "info"): "AssumeRole ConsoleLogin",
    ("file", "creation"): "CreateBucket",
    ("file", "deletion"): "DeleteBucket",
    ("iam", "admin", "change"): (
        "SetDefaultPolicyVersion SetSecurityTokenServicePreferences UpdateAccountPasswordPolicy UpdateRole"
    ),
    ("iam", "admin", "creation"): "CreateKeyPair",
    ("iam", "group", "change"): (
        "AddUserToGroup AttachGroupPolicy DeleteGroupPolicy DetachGroupPolicy PutGroupPolicy RemoveUserFromGroup "
        "UpdateGroup"
    ),
    ("iam", "group", "creation"): "CreateGroup",
    ("iam", "group", "deletion"): "DeleteGroup",
    ("iam", "group", "info"): ("GetGroup GetGroupPolicy ListAttachedGroupPolicies ListGroupPolicies ListGroups"),
    ("iam", "user", "change"): (
        "AttachUserPolicy ChangePassword CreateAccessKey CreateVirtualMFADevice DeactivateMFADevice "
        "DeleteAccessKey DeleteSSHPublicKey DeleteUserPermissionsBoundary DeleteUserPolicy DeleteVirtualMFADevice "
        "DetachUserPolicy EnableMFADevice PutUserPermissionsBoundary PutUserPolicy TagUser UntagUser "
        "UpdateAccessKey UpdateLoginProfile UpdateSSHPublicKey UpdateUser"
    ),
    ("iam", "user", "creation"): "CreateUser",
    ("iam", "user", "deletion"): "DeleteUser",
    ("iam", "user", "info"): (
        "GetUser GetUserPolicy ListAttachedUserPolicies ListGroupsForUser ListUserPolicies ListUserTags ListUsers"
    ),
}
"""The names of operations by their category and their types."""

_BY_OPERATION: Final = {
    name: {"category": [category], "type": types}
    for (category, *types), names in _OPERATIONS.items()
    for name in names.split()
}


def categorize(operation: str | None) -> Mapping[str, Any]:
    """Return ``category``, unless ECS has none, and ``type`` of an operation (``eventName``)."""
    return _BY_OPERATION.get(operation or "", OTHER)
