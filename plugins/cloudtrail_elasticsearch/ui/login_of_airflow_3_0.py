"""The login of Airflow 3.0, whose UI stores the user's token in the browser's local storage and in no cookie.

So a browser cannot send the token when it opens a page. It gets the status 401 and a page with a script instead.
The script copies the token to a cookie that only the pages receive, and opens the page again. Later versions of
Airflow have a cookie of their own (ADR-0013).
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import Annotated, Final

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from cloudtrail_elasticsearch.ui.answers import STATIC
from cloudtrail_elasticsearch.ui.backfills import DAG_ID
from cloudtrail_elasticsearch.ui.paths import PREFIX

COOKIE: Final = "cloudtrail_token"
"""The pages' cookie with the token; `session.js` and `login.html` know it too."""

_PAGE: Final = (STATIC.parent / "login.html").read_text()
_SCRIPT: Final = _PAGE.partition("<script>")[2].partition("</script>")[0]
_HASH: Final = b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
_HEADERS: Final = {
    "content-security-policy": f"default-src 'none'; script-src 'sha256-{_HASH}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
}


async def find_user(request: Request) -> BaseUser:
    """Return the user whose token is in the request's Authorization header or in the pages' cookie.

    :raises HTTPException: there is no token, or it is no longer valid (401)
    """
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    token = given if scheme.lower() == "bearer" else request.cookies.get(COOKIE)
    if not token:
        raise HTTPException(401, "Not authenticated")
    try:
        return await get_user(token)  # type: ignore[arg-type] # 3.0's takes the token
    except HTTPException as error:
        # Airflow answers 403 to an invalid token. With 401, the browser's script replaces the cookie.
        raise HTTPException(401, error.detail) from error


def check_reader(user: Annotated[BaseUser, Depends(find_user)]) -> None:
    """Check that the user may read the DAG.

    :raises HTTPException: the user may not (403)
    """
    if not get_auth_manager().is_authorized_dag(method="GET", details=DagDetails(id=DAG_ID), user=user):
        raise HTTPException(403, "Forbidden")


async def respond_to_anonymous(request: Request, error: Exception) -> Response:
    """Respond with 401: to a browser that opens a page with the page that logs in, to others with JSON."""
    assert isinstance(error, HTTPException)  # noqa: S101 - nothing else has this status
    opens_page = request.url.path.endswith((f"{PREFIX}/coverage", f"{PREFIX}/quarantine"))
    if opens_page and "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(_PAGE, 401, _HEADERS)
    return JSONResponse({"detail": error.detail}, 401)
