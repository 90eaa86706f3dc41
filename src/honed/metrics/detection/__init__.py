"""Measuring detectors: average precision with intervals, kinds of errors, thresholds, calibration, worst pictures."""
