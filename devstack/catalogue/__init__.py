"""Make the data of the package's ``rules`` folder: the kinds of every path, and the paths with fields.

``make catalogue`` writes ``catalogue.ndjson.gz`` and ``fields.txt`` from botocore's models and
``recorded.txt``. ``make learn EVENTS="FILE …"`` first adds the kinds in recorded events to ``recorded.txt``.
"""
