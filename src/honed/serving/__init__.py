"""Answers over HTTP: one parent that speaks HTTP and gathers batches, one worker process for each version of a model.

>>> import honed
>>> honed.serve(["runs/tickets/model"], port=8000)  # doctest: +SKIP
"""
