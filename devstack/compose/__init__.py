"""docker-compose.yaml without Docker: read as Compose reads it, its services run as programs of this machine."""
