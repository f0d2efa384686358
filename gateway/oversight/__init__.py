"""Oversight: what was decided in a period, in figures, for those who answer for the use. Made of the log alone."""
