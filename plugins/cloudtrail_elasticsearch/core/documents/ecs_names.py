"""The names under which public detection rules and dashboards find an event, beside CloudTrail's own.

A name with the same value as one of CloudTrail's is an alias in the mapping: it is searched, sorted and charted
like a field, and adds no byte to a document. Values that have to be computed are in the document (`ecs`). ADR-0026

https://www.elastic.co/docs/reference/ecs/ecs-field-reference
https://www.elastic.co/docs/reference/integrations/aws/cloudtrail
"""

from __future__ import annotations

from typing import Final

VERSION: Final = "9.4.0"

ALIASES: Final = {
    "aws.cloudtrail.api_version": "apiVersion",
    "aws.cloudtrail.console_login.additional_eventdata.login_to": "additionalEventData.LoginTo",
    "aws.cloudtrail.error_code": "errorCode",
    "aws.cloudtrail.error_message": "errorMessage",
    "aws.cloudtrail.event_category": "eventCategory",
    "aws.cloudtrail.event_type": "eventType",
    "aws.cloudtrail.event_version": "eventVersion",
    "aws.cloudtrail.management_event": "managementEvent",
    "aws.cloudtrail.read_only": "readOnly",
    "aws.cloudtrail.recipient_account_id": "recipientAccountId",
    "aws.cloudtrail.request_id": "requestID",
    "aws.cloudtrail.resources.account_id": "resources.accountId",
    "aws.cloudtrail.resources.arn": "resources.ARN",
    "aws.cloudtrail.resources.type": "resources.type",
    "aws.cloudtrail.session_credential_from_console": "sessionCredentialFromConsole",
    "aws.cloudtrail.shared_event_id": "sharedEventID",
    "aws.cloudtrail.user_identity.access_key_id": "userIdentity.accessKeyId",
    "aws.cloudtrail.user_identity.arn": "userIdentity.arn",
    "aws.cloudtrail.user_identity.invoked_by": "userIdentity.invokedBy",
    "aws.cloudtrail.user_identity.session_context.creation_date": (
        "userIdentity.sessionContext.attributes.creationDate"
    ),
    "aws.cloudtrail.user_identity.session_context.mfa_authenticated": (
        "userIdentity.sessionContext.attributes.mfaAuthenticated"
    ),
    "aws.cloudtrail.user_identity.session_context.session_issuer.account_id": (
        "userIdentity.sessionContext.sessionIssuer.accountId"
    ),
    "aws.cloudtrail.user_identity.session_context.session_issuer.arn": (
        "userIdentity.sessionContext.sessionIssuer.arn"
    ),
    "aws.cloudtrail.user_identity.session_context.session_issuer.principal_id": (
        "userIdentity.sessionContext.sessionIssuer.principalId"
    ),
    "aws.cloudtrail.user_identity.session_context.session_issuer.type": (
        "userIdentity.sessionContext.sessionIssuer.type"
    ),
    "aws.cloudtrail.user_identity.type": "userIdentity.type",
    "aws.cloudtrail.vpc_endpoint_id": "vpcEndpointId",
    "cloud.origin.account.id": "userIdentity.accountId",
    "cloud.region": "awsRegion",
    "cloud.target.account.id": "recipientAccountId",
    "data_stream.dataset": "event.dataset",
    "error.code": "errorCode",
    "error.message": "errorMessage",
    "event.action": "eventName",
    "event.id": "eventID",
    "event.provider": "eventSource",
    "group.id": "responseElements.group.groupId",
    "group.name": "requestParameters.groupName",
    "related.ip": "source.ip",
    "source.address": "sourceIPAddress",
    "tls.cipher": "tlsDetails.cipherSuite",
    "tls.client.server_name": "tlsDetails.clientProvidedHostHeader",
    "user.changes.name": "requestParameters.newUserName",
    "user.effective.id": "responseElements.assumedRoleUser.assumedRoleId",
    "user.entity.id": "userIdentity.arn",
    "user.id": "userIdentity.principalId",
    "user.target.id": "responseElements.user.userId",
    "user.target.name": "requestParameters.userName",
    "user_agent.original": "userAgent.exact",
}
"""Names of ECS and of Elastic's integration, and for each the field that it is an alias of.

An alias cannot reach below a flat field, so a mapping leaves out those whose fields it does not have.
"""

KEYWORDS: Final = (
    "cloud.account.id",
    "cloud.provider",
    "cloud.service.name",
    "ecs.version",
    "event.category",
    "event.dataset",
    "event.kind",
    "event.module",
    "event.outcome",
    "event.type",
    "related.user",
    "tls.version",
    "tls.version_protocol",
    "user.email",
    "user.name",
)
"""The keyword fields that `ecs` fills."""

_SIGN_IN: Final = "aws.cloudtrail.console_login.additional_eventdata"

BOOLEANS: Final = (f"{_SIGN_IN}.mfa_used", f"{_SIGN_IN}.mobile_version")
"""The boolean fields that `ecs` fills, for console sign-ins only."""

EMPTY: Final = ("data_stream.namespace", "data_stream.type")
"""Fields without values: they exist only because ES|QL rejects a query that names an unknown field.

Documents are not in a data stream, in which the names have a special meaning, so the loader writes no value.

https://www.elastic.co/docs/reference/ecs/ecs-data_stream
"""

RELATED_ENTITY: Final = "related.entity"

COPIES: Final = {
    # The names of users, roles and groups that a call of IAM changes.
    "entity.target.id": (
        "requestParameters.groupName",
        "requestParameters.roleName",
        "requestParameters.userName",
    ),
    RELATED_ENTITY: (
        # No names of the caller and no ARNs of `resources`: they differ from event to event, made an index 17
        # bytes an event larger, and have names of their own below `aws.cloudtrail` (ADR-0026).
        "requestParameters.accessKeyId",
        "requestParameters.bucketName",
        "requestParameters.dBInstanceIdentifier",
        "requestParameters.functionName",
        "requestParameters.groupId",
        "requestParameters.groupName",
        "requestParameters.instancesSet.items.instanceId",
        "requestParameters.keyId",
        "requestParameters.policyArn",
        "requestParameters.policyName",
        "requestParameters.roleArn",
        "requestParameters.roleName",
        "requestParameters.roleSessionName",
        "requestParameters.userName",
        "responseElements.assumedRoleUser.arn",
        "responseElements.instancesSet.items.instanceId",
        "responseElements.keyId",
        "responseElements.role.arn",
        "responseElements.user.arn",
    ),
}
"""Fields that index the values of others, too (``copy_to``); documents do not hold these values twice."""

FLATTENED: Final = {
    "additionalEventData": "aws.cloudtrail.flattened.additional_eventdata",
    "requestParameters": "aws.cloudtrail.flattened.request_parameters",
    "responseElements": "aws.cloudtrail.flattened.response_elements",
    "serviceEventDetails": "aws.cloudtrail.flattened.service_event_details",
}
"""The names of the open objects in Elastic's integration, which are flat fields there."""

TEXTS: Final = {
    "aws.cloudtrail.additional_eventdata": "texts.additionalEventData",
    "aws.cloudtrail.request_parameters": "texts.requestParameters",
    "aws.cloudtrail.response_elements": "texts.responseElements",
    "aws.cloudtrail.service_event_details": "texts.serviceEventDetails",
}
"""Elastic's names of the open objects as texts.

On OpenSearch they end with ``.text``, because Security Analytics has fields below the names themselves.
"""

SECURITY_ANALYTICS: Final = {
    "aws.cloudtrail.additional_event_data.loginTo": "additionalEventData.LoginTo",
    "aws.cloudtrail.additional_event_data.mfaUsed": "additionalEventData.MFAUsed",
    "aws.cloudtrail.aws_region": "awsRegion",
    "aws.cloudtrail.event_id": "eventID",
    "aws.cloudtrail.event_name": "eventName",
    "aws.cloudtrail.event_source": "eventSource",
    "aws.cloudtrail.request_parameters.arn": "requestParameters.arn",
    "aws.cloudtrail.request_parameters.attribute": "requestParameters.attribute",
    "aws.cloudtrail.request_parameters.container_definitions.command": (
        "requestParameters.containerDefinitions.command"
    ),
    "aws.cloudtrail.request_parameters.roleArn": "requestParameters.roleArn",
    "aws.cloudtrail.request_parameters.roleSessionName": "requestParameters.roleSessionName",
    "aws.cloudtrail.request_parameters.username": "requestParameters.userName",
    "aws.cloudtrail.resources.account_uid": "resources.accountId",
    "aws.cloudtrail.response_elements.pending_modified_values.master_user_password": (
        "responseElements.pendingModifiedValues.masterUserPassword"
    ),
    "aws.cloudtrail.response_elements.publicly_accessible": "responseElements.publiclyAccessible",
    "aws.cloudtrail.source_ip_address": "sourceIPAddress",
    "aws.cloudtrail.user_agent": "userAgent",
    "aws.cloudtrail.user_identity.accessKeyId": "userIdentity.accessKeyId",
    "aws.cloudtrail.user_identity.accountId": "userIdentity.accountId",
    "aws.cloudtrail.user_identity.identityProvider": "userIdentity.identityProvider",
    "aws.cloudtrail.user_identity.invokedBy": "userIdentity.invokedBy",
    "aws.cloudtrail.user_identity.principalId": "userIdentity.principalId",
    "aws.cloudtrail.user_identity.session_context.attributes.creationDate": (
        "userIdentity.sessionContext.attributes.creationDate"
    ),
    "aws.cloudtrail.user_identity.session_context.attributes.mfaAuthenticated": (
        "userIdentity.sessionContext.attributes.mfaAuthenticated"
    ),
    "aws.cloudtrail.user_identity.userName": "userIdentity.userName",
    "aws.cloudtrail.user_identity.web_id_federation_data.federatedProvider": (
        "userIdentity.sessionContext.webIdFederationData.federatedProvider"
    ),
    "timestamp": "eventTime",
}
"""Names of OpenSearch's Security Analytics that Elastic's integration does not have.

Its ``aws.cloudtrail.resources.ARN`` and ``…event_type`` are CloudTrail's or Elastic's names already.

https://docs.opensearch.org/latest/security-analytics/log-types-reference/cloudtrail/
"""

WRITTEN: Final = frozenset(
    {"error", "user_agent", *(name.partition(".")[0] for name in ("source.ip", *KEYWORDS, *BOOLEANS))}
)
"""Top-level names of ECS; an event's own values under these names go to ``overflow``."""
