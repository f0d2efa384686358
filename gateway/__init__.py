"""Brightline: a deployment policy gateway for government and defense use of AI models."""
