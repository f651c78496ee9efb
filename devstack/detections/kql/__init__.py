"""The Kibana Query Language: a parser, and two interpreters that share nothing but the tree.

https://www.elastic.co/docs/reference/query-languages/kql
"""

from devstack.detections.kql.dsl import to_dsl
from devstack.detections.kql.parser import parse
from devstack.detections.kql.reference import Values, matches
from devstack.detections.kql.tree import Comparison, Node, find_comparisons

__all__ = ["Comparison", "Node", "Values", "find_comparisons", "matches", "parse", "to_dsl"]
