"""Authenticates callers: a client certificate and an access token bound to it, both of one tenant."""

from gateway.identity.prove import Identity

__all__ = ["Identity"]
