"""The fault suite: real backfills while processes are killed and services fail; nothing may be lost or doubled."""
