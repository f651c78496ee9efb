"""Reads the files that a trail writes to S3, and proves with AWS's signed digests that none is missing or altered.

`layout` reads and makes the keys of a trail's bucket. `digests` decodes a digest, and `signatures` verifies who
signed it. `window_digests` reads the digests of a window, `coverage` finds the times that no digest covers, and
`chain` combines both into the proof of a window. `verdict` compares the proof with the log files that were read.
`findings` has the reasons for which a window is not signed (docs/adr/0017-aws-signs-the-list-of-files.md).

`bucket` reads and lists a trail's bucket, and `listing` finds the accounts, regions, kinds of event and log files.
`prove` makes the manifest of a window. `window_files` reads its log files with `read_ahead` and `log_file`, and
compares them with the manifest (docs/adr/0018-log-files-are-read-ahead.md).
"""
