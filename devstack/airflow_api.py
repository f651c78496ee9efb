"""Send requests to Airflow's public API as one of its users.

https://airflow.apache.org/docs/apache-airflow/stable/security/api.html
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from functools import cached_property
from typing import Any, Final

_SECONDS_AT_MOST: Final = 30


class AirflowError(Exception):
    """A command or a request of Airflow failed; `status` is the HTTP status, None if there was no answer."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class AirflowApi:
    """The API of one Airflow. The user logs in with the first request that needs a login.

    :param url: the address of the API server
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        self._url = url
        self._user = user
        self._password = password

    @cached_property
    def token(self) -> str:
        """The user's token for the API; the UI takes it as the cookie ``_token``."""
        login = {"username": self._user, "password": self._password}
        return str(_asked("POST", f"{self._url}/auth/token", login)["access_token"])

    def request(self, method: str, path: str, body: object = None) -> Any:
        """Send a request and return Airflow's answer; `path` begins after ``/api/v2``.

        :raises AirflowError: the answer is an error
        """
        return _asked(method, f"{self._url}/api/v2{path}", body, {"authorization": f"Bearer {self.token}"})


def health(url: str) -> dict[str, Any]:
    """Return what an Airflow says of its parts, to whoever asks.

    :raises AirflowError: it does not answer
    """
    return dict(_asked("GET", f"{url}/api/v2/monitor/health"))


def _asked(method: str, url: str, body: object = None, headers: dict[str, str] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json", **(headers or {})}
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS_AT_MOST) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise AirflowError(f"{method} {url}: {error.code} {error.read()[:500]!r}", error.code) from error
    except OSError as error:
        raise AirflowError(f"{method} {url}: {error}") from error
