"""The fault suite: backfills while processes are killed and services fail. No event may be lost or doubled."""
