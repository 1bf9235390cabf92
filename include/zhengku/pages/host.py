"""What the pages need of the program that serves them: who is logged in, where to log in, and what each may see."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request, status

from zhengku.pages.access import ACT, SEE_PROBLEMS, A, Access, ClearanceAccess, ReviewAccess, Right


@dataclass(frozen=True)
class Host:
    """The program around the pages.

    `current_user` returns the user who makes a request and raises `HTTPException` 401 when nobody is logged in;
    `access` returns what that user may see, None for nothing; `login_address` is the address of the login page, which
    returns to the given address.
    """

    current_user: Callable[[Request], Awaitable[Any]]
    access: Callable[[Any], Access | None]
    login_address: Callable[[str], str]
    signing_key: Callable[[], str]
    is_for_demos: Callable[[], bool]


async def visitor(request: Request) -> Any:
    """Return the access of the user who makes a request; raises `HTTPException` 401 or 403.

    Every route depends on it: the application adds it to each (`zhengku.pages.frame.new_app`).
    """
    host: Host = request.app.state.host
    access = host.access(await host.current_user(request))
    if access is None:
        raise HTTPException(status.HTTP_403_FORBIDDEN, request.app.state.page_set.refusal)
    request.state.access = access
    return access


def require(access: A, right: Right[A]) -> A:
    """Return the access; raises `HTTPException` 403 when it does not have a right."""
    if not right.is_held(access):
        raise HTTPException(status.HTTP_403_FORBIDDEN, right.refusal)
    return access


def _needs(right: Right[A]) -> Any:
    def check(access: Annotated[Any, Depends(visitor)]) -> Any:
        return require(access, right)

    return Depends(check)


ClearanceVisitor = Annotated[ClearanceAccess, Depends(visitor)]
"""The access of a visitor of the daily lists."""

ReviewVisitor = Annotated[ReviewAccess, Depends(visitor)]
"""The access of a visitor of a review page that every login with a role may see."""

Reviewer = Annotated[ReviewAccess, _needs(SEE_PROBLEMS)]
"""The access of a visitor who may see problem records; others are refused."""

Decider = Annotated[ReviewAccess, _needs(ACT)]
"""The access of a visitor who may decide and request; others are refused."""
