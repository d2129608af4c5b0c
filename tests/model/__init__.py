"""The three protocols as state machines: the real owners, scripts, relay and sender gate on a real store.

`schedule.py` lets exactly one thing happen at a time, `network.py` is what lies between processes, `ingest_world.py`
and `chain_world.py` are a deployment each with its truth, `broken_*.py` are weaker protocols that must be caught.
"""
