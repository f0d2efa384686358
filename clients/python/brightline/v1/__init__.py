"""Generated from proto/brightline/v1 by tools/protos.py."""
