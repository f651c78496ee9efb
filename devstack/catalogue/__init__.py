"""Makes the data of the package's ``rules`` folder: which kinds every path has, and which paths have fields.

``make catalogue`` writes ``catalogue.ndjson.gz`` and ``fields.txt`` from botocore's models and
``recorded.txt``; ``make learn EVENTS="FILE …"`` adds what recorded events show to ``recorded.txt`` first.
"""
