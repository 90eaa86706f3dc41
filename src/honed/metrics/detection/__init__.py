"""Measuring detectors: COCO's figures with intervals, kinds of errors, thresholds, calibration, worst pictures.

Everything starts from :class:`Truths` and :class:`Detections`. All but COCO's figures and the kinds of errors are computed
from the :class:`Matches` of one call of :func:`match`.
"""

from honed.metrics.detection.averages import average_precision, mean_over_labels
from honed.metrics.detection.calibration import Recalibration, calibration_error, fit_recalibration, score_bins
from honed.metrics.detection.coco import CocoFigures, coco_figures
from honed.metrics.detection.coco_format import CocoTruth, detections_from_coco, truths_from_coco
from honed.metrics.detection.data import Detections, Truths, gather_detections, gather_truths
from honed.metrics.detection.error_kinds import ErrorBreakdown, ErrorKind, error_kinds
from honed.metrics.detection.intervals import ApDifference, ApIntervals, ap_difference, ap_intervals
from honed.metrics.detection.matching import Matches, match
from honed.metrics.detection.operating import Curve, OperatingPoint, operating_points, point_at, precision_recall
from honed.metrics.detection.pictures import PictureErrors, picture_errors

__all__ = [
    "ApDifference", "ApIntervals", "CocoFigures", "CocoTruth", "Curve", "Detections", "ErrorBreakdown", "ErrorKind",
    "Matches", "OperatingPoint", "PictureErrors", "Recalibration", "Truths", "ap_difference", "ap_intervals",
    "average_precision", "calibration_error", "coco_figures", "detections_from_coco", "error_kinds", "fit_recalibration",
    "gather_detections", "gather_truths", "match", "mean_over_labels", "operating_points", "picture_errors", "point_at",
    "precision_recall", "score_bins", "truths_from_coco",
]  # fmt: skip
