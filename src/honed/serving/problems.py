"""Errors as HTTP: each code has one status, and every error has one JSON shape."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

from honed.errors import HonedError, ServeError

STATUS = {
    "H001": 404, "H002": 405, "H003": 404, "H004": 400, "H005": 400, "H006": 413, "H007": 422, "H008": 429,
    "H009": 504, "H010": 503, "H011": 401, "H012": 403, "H013": 408, "H014": 500, "H015": 500, "H016": 404,
    "H018": 415, "H027": 406, "H026": 404, "H020": 409, "H023": 403, "H024": 409, "H030": 400, "H031": 400,
}  # fmt: skip
"""HTTP status of the codes that a client can meet; any other coded error in a request is a conflict (409)."""


WRITING = "/v1/"
"""Addresses that speak the language of OpenAI's clients, in their errors too."""
ASKED_WRONGLY = ("H007", "G001", "G002", "G003", "G004", "G010", "Z044")
KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def problem_response(error: HonedError, path: str = "") -> JSONResponse:
    """The error as JSON with the status of its code, in the shape that clients of this address expect."""
    headers = {"Retry-After": str(error.details.get("retry_after_s", 1))} if error.code in ("H008", "H010") else {}
    if error.code == "H011":
        headers["WWW-Authenticate"] = "Bearer"
    status = STATUS.get(error.code, 409)
    if path.startswith(WRITING):
        status = 400 if error.code in ASKED_WRONGLY else 500 if error.code not in STATUS else status
        return JSONResponse({"error": told_to_openai(error, status)}, status, headers)
    return JSONResponse({"error": error.as_dict()}, status, headers)


def told_to_openai(error: HonedError, status: int = 500) -> dict[str, Any]:
    """``{"message", "type", "param", "code"}``; the code is ours."""
    kind = KINDS.get(status, "server_error" if status >= 500 else "invalid_request_error")
    message = f"{error.seen} {error.remedy}".strip()
    return {"message": message, "type": kind, "param": error.details.get("param"), "code": error.code}


def unexpected(request_id: str) -> ServeError:
    """What a client is told when something broke that should not: nothing of the inside, but where to look."""
    seen = "The server met an error that it did not expect."
    return ServeError("H014", seen, f"Look for {request_id} in the server's log.", details={"request_id": request_id})


def away(name: str, why: str = "") -> ServeError:
    """The model cannot answer now."""
    seen = f'The model "{name}" cannot answer at the moment{": " + why if why else ""}.'
    return ServeError("H010", seen, "Try again in a moment; /readyz says when.", details={"retry_after_s": 1})


def error_from(fields: dict[str, Any]) -> HonedError:
    """The inverse of ``as_dict``, for errors that a worker reports."""
    return ServeError(
        str(fields["code"]), str(fields["seen"]), str(fields["remedy"]), details=dict(fields.get("details") or {})
    )
