"""Measuring detectors on labelled text: the corpus and its splits, figures with their uncertainty, thresholds."""
