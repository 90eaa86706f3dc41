"""Ways to compute a model's answers: torch, ONNX Runtime, OpenVINO; measured on this machine, the fastest that agrees wins.

>>> from honed.engines.choose import choose
>>> print(choose(model).chosen)
"""
