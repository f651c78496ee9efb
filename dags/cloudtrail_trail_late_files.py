"""Lists a loaded day of a trail again, and loads the log files that CloudTrail delivered late, with Airflow.

It does not read windows whose log files and digests did not change. A late digest completes its window's proof.
"""

from cloudtrail_elasticsearch import LateFiles, cloudtrail_dag

dag = cloudtrail_dag(
    "cloudtrail_trail_late_files", source=LateFiles(), is_paused_upon_creation=True, doc_md=__doc__
)
