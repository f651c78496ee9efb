"""Make ``rules/detections.txt``: the paths that public detection rules read, by name only.

``make rule-paths RULES="FOLDER …"`` reads the rules in these folders. It copies no rule, value or sentence.
"""
