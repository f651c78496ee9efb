"""The templates that tests leave on a server: OpenSearch writes all of them to its disk whenever one changes."""

from __future__ import annotations

import contextlib
import urllib.request

from cloudtrail_elasticsearch.core.index.index_pattern import TEMPLATES


def delete_templates(url: str, prefix: str) -> None:
    """Delete the loader's templates of the patterns that begin with a prefix, if there are any."""
    # In this order: a component in use is not deleted.
    for kind in ("_index_template", "_component_template"):
        path = f"{url}/{kind}/{TEMPLATES}{prefix}*"
        # A test can leave no template, or a server that has ended.
        with contextlib.suppress(OSError), urllib.request.urlopen(urllib.request.Request(path, method="DELETE")):
            pass
