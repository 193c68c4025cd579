"""Pulumi Cloud streams."""
