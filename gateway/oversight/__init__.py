"""Oversight reports: decisions of a period in figures, for those accountable for the use.

Computed from the log alone.
"""
