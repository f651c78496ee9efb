"""ECS ``event.category`` and ``event.type`` of a call, by the name of its operation.

The values are those that Elastic's integration documents for CloudTrail; operations without an entry are ``info``.

https://www.elastic.co/docs/reference/ecs/ecs-category-field-values-reference
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Category(NamedTuple):
    """The ECS category and types of an operation."""

    category: tuple[str, ...]
    """``event.category``; empty if ECS has none."""
    types: tuple[str, ...]
    """``event.type``."""


OTHER: Final = Category((), ("info",))

_OPERATIONS: Final = {
    Category(("authentication",), ("info",)): "AssumeRole ConsoleLogin",
    Category(("file",), ("creation",)): "CreateBucket",
    Category(("file",), ("deletion",)): "DeleteBucket",
    Category(("iam",), ("admin", "change")): (
        "SetDefaultPolicyVersion SetSecurityTokenServicePreferences UpdateAccountPasswordPolicy UpdateRole"
    ),
    Category(("iam",), ("admin", "creation")): "CreateKeyPair",
    Category(("iam",), ("group", "change")): (
        "AddUserToGroup AttachGroupPolicy DeleteGroupPolicy DetachGroupPolicy PutGroupPolicy RemoveUserFromGroup "
        "UpdateGroup"
    ),
    Category(("iam",), ("group", "creation")): "CreateGroup",
    Category(("iam",), ("group", "deletion")): "DeleteGroup",
    Category(("iam",), ("group", "info")): (
        "GetGroup GetGroupPolicy ListAttachedGroupPolicies ListGroupPolicies ListGroups"
    ),
    Category(("iam",), ("user", "change")): (
        "AttachUserPolicy ChangePassword CreateAccessKey CreateVirtualMFADevice DeactivateMFADevice "
        "DeleteAccessKey DeleteSSHPublicKey DeleteUserPermissionsBoundary DeleteUserPolicy DeleteVirtualMFADevice "
        "DetachUserPolicy EnableMFADevice PutUserPermissionsBoundary PutUserPolicy TagUser UntagUser "
        "UpdateAccessKey UpdateLoginProfile UpdateSSHPublicKey UpdateUser"
    ),
    Category(("iam",), ("user", "creation")): "CreateUser",
    Category(("iam",), ("user", "deletion")): "DeleteUser",
    Category(("iam",), ("user", "info")): (
        "GetUser GetUserPolicy ListAttachedUserPolicies ListGroupsForUser ListUserPolicies ListUserTags ListUsers"
    ),
}

_BY_OPERATION: Final = {name: category for category, names in _OPERATIONS.items() for name in names.split()}


def categorize(operation: str | None) -> Category:
    """Return the category of an operation (``eventName``)."""
    return _BY_OPERATION.get(operation or "", OTHER)
