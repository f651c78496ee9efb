"""Run docker-compose.yaml without Docker: read it as Compose does, and run its services as local programs."""
