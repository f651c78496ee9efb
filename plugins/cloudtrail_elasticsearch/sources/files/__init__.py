"""Reads files of CloudTrail events in any shape; the shape is detected from the content.

`names` finds the files. `unpack` and `encodings` turn their bytes into UTF-8 text. `feed`, `fast_scan`, `scan` and
`split` cut the text into JSON values. `kinds`, `wrappers` and `dumps` find the events in these values. `reader`
does all of that for one file, `report` counts, and `files` reads file after file. Every step works on pieces: none
holds a whole file in memory.
"""

from cloudtrail_elasticsearch.sources.files.files import Files, read_lines
from cloudtrail_elasticsearch.sources.files.names import find_files
from cloudtrail_elasticsearch.sources.files.report import FileReport

__all__ = ["FileReport", "Files", "find_files", "read_lines"]
