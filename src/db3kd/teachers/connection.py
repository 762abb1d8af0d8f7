"""The connection to a server that answers with JSON: what is sent, and what became of a request that was not answered.

Nothing is retried here: the oracle does that, since what may have been served is charged again. A token is
sent to the server alone; it is in no log, no message and no file. Which protocol is spoken, the teachers know.
"""

import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from time import time
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import orjson
import urllib3
from pydantic import SecretStr

from db3kd.errors import MaybeServed, NotServed, PlanError, Rejected, TeacherError

_log = logging.getLogger(__name__)

_REDIRECTS = 3
_CONNECT_SECONDS = 10.0
_SHOWN = 300
# These say that the request was not taken; every other failure on the server's side may have come after the work.
_NOT_TAKEN = (408, 425, 429)
_UNAVAILABLE = 503
_SAME_METHOD = (307, 308)
_LOCAL = ("localhost", "127.0.0.1", "::1")


def read_token(variable: str | None) -> SecretStr | None:
    """Read a bearer token from the environment, or raise a PlanError where the variable is not set."""
    if variable is None:
        return None
    secret = os.environ.get(variable, "").strip()
    if not secret:
        raise PlanError(
            f"teacher.token_env names the environment variable {variable}, which is not set; nothing was asked: put "
            "the token there"
        )
    return SecretStr(secret)


def split_url(url: str) -> SplitResult:
    """Take a server's URL apart, or raise a PlanError where it is none."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise PlanError(
            f"a server is named http(s)://HOST[:PORT], got {error}; nothing was asked: correct it"
        ) from error
    return parts


class Connection:
    """At most `size` requests at once to one server, from any threads; an answer is waited for `timeout` seconds."""

    def __init__(self, url: str, *, token: SecretStr | None = None, timeout: float = 30.0, size: int = 1) -> None:
        self._url, self._token = url.rstrip("/"), token
        parts = split_url(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
            raise PlanError(
                f"a server is named http(s)://HOST[:PORT], without a name or password, got one of scheme "
                f"{parts.scheme!r} at {parts.hostname!r}; nothing was asked: a token goes into an environment variable "
                "that teacher.token_env names"
            )
        if token is not None and parts.scheme == "http" and parts.hostname not in _LOCAL:
            _log.warning("the token is sent to %s in the clear: use https", parts.hostname)
        self._pool = urllib3.PoolManager(
            maxsize=size,
            block=True,
            retries=False,
            cert_reqs="CERT_REQUIRED",
            timeout=urllib3.Timeout(connect=min(timeout, _CONNECT_SECONDS), read=timeout),
        )

    def get(self, path: str) -> dict[str, Any]:
        """Read what the server says of itself; errors as for `post`."""
        return self._read(self._send("GET", f"{self._url}{path}", None, {}))

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
        """Send a request and read the JSON object of its answer; an error says whether it may have been served."""
        return self._read(self._send("POST", f"{self._url}{path}", body, headers))

    def _send(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        sent = {"Accept": "application/json", "User-Agent": "db3kd", **headers}
        if self._token is not None:
            sent["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        for _ in range(_REDIRECTS + 1):
            try:
                response = self._pool.request(method, url, body=body, headers=sent, redirect=False)
            except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError) as error:
                raise NotServed(f"{self._url} was not reached: {type(error).__name__}") from error
            except urllib3.exceptions.SSLError as error:
                raise NotServed(
                    f"the certificate of {self._url} cannot be verified ({error}); nothing was sent: correct it, or "
                    "name the authority in SSL_CERT_FILE",
                    again=False,
                ) from error
            except urllib3.exceptions.HTTPError as error:
                raise MaybeServed(f"{self._url} did not answer: {type(error).__name__}") from error
            if not 300 <= response.status < 400:
                return response
            try:
                target = urljoin(url, response.headers.get("Location", ""))
                here, there = urlsplit(url), urlsplit(target)
            except ValueError as error:
                raise TeacherError(
                    f"{self._url} redirected to what is no URL ({error}); it was not followed"
                ) from error
            # Images and token are for nobody but this server, and a question stays a question.
            if here[:2] != there[:2] or (method != "GET" and response.status not in _SAME_METHOD):
                raise TeacherError(
                    f"{self._url} redirected to another host or method, {there.scheme}://{there.netloc} with status "
                    f"{response.status}; it was not followed: name the URL that it points to if it is the right one"
                )
            url = target
        raise TeacherError(f"{self._url} redirected {_REDIRECTS + 1} times; nothing more was asked: name the last URL")

    def _read(self, response: urllib3.BaseHTTPResponse) -> dict[str, Any]:
        if response.status != 200:
            self._fail(response)
        try:
            answer = orjson.loads(response.data)
        except orjson.JSONDecodeError as error:
            raise MaybeServed(f"{self._url} gave an answer that is cut short or no JSON") from error
        if not isinstance(answer, dict):
            raise TeacherError(f"{self._url} gave JSON that is no object, so it speaks another protocol")
        return answer

    def _fail(self, response: urllib3.BaseHTTPResponse) -> None:
        """Turn a status into what it means for the bill."""
        text, code = self._message(response)
        said = f"{self._url} answered with status {response.status}: {text}"
        later = _retry_after(response.headers.get("Retry-After", ""))
        if response.status in _NOT_TAKEN or (response.status == _UNAVAILABLE and later is not None):
            raise NotServed(said, retry_after=later)
        if response.status >= 500:
            raise MaybeServed(said)
        way_out = "a further attempt would end the same: correct the plan or the token"
        raise Rejected(f"{said}; {way_out}", code=code, status=response.status)

    def _message(self, response: urllib3.BaseHTTPResponse) -> tuple[str, str]:
        """What the server says went wrong, and what it calls that."""
        text, code = response.data[: 4 * _SHOWN].decode(errors="replace"), ""
        with suppress(orjson.JSONDecodeError):
            answer = orjson.loads(response.data)
            error = answer.get("error", text) if isinstance(answer, dict) else text
            code = str(error.get("code") or "") if isinstance(error, dict) else ""
            text = str(error.get("message", error) if isinstance(error, dict) else error)
        return " ".join(self.without_token(text).split())[:_SHOWN], code

    def without_token(self, text: str) -> str:
        """Take a token out of what a server says, which it may repeat."""
        return text if self._token is None else text.replace(self._token.get_secret_value(), "***")


def _retry_after(text: str) -> float | None:
    """Seconds until the server wants to be asked again; it gives seconds or a date."""
    with suppress(ValueError):
        return max(0.0, float(text))
    with suppress(ValueError, OverflowError):
        return max(0.0, parsedate_to_datetime(text).timestamp() - time())
    return None
