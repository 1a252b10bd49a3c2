"""What scripts/bench measures: ratios and medians within one run on one endpoint. No test depends on a time.

Each module has ``run(place) -> result`` and ``tables(result) -> tables``; a result is JSON-ready.
"""
