"""Detectors of several libraries behind one contract, :class:`honed.networks.detection.finder.Finder`."""
