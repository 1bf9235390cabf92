"""What the pages need of the program that shows them: who is logged in, where one logs in, and what each may see."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request, status

from zhengku.pages.access import ACT, SEE_PROBLEMS, A, Access, ClearanceAccess, ReviewAccess, Right


@dataclass(frozen=True)
class Host:
    """The program around the pages.

    `current_user` returns who asks and raises `HTTPException` 401 when nobody is logged in; `access` tells what he may
    see, None for nothing; `login_address` is where to send who is not logged in, to come back to the address given.
    """

    current_user: Callable[[Request], Awaitable[Any]]
    access: Callable[[Any], Access | None]
    login_address: Callable[[str], str]
    signing_key: Callable[[], str]
    is_for_demos: Callable[[], bool]


async def visitor(request: Request) -> Any:
    """Return what who asks may see, of the application's kind; raises `HTTPException` 401 or 403.

    Every route depends on it: the application adds it to each (`zhengku.pages.frame.new_app`).
    """
    host: Host = request.app.state.host
    access = host.access(await host.current_user(request))
    if access is None:
        raise HTTPException(status.HTTP_403_FORBIDDEN, request.app.state.page_set.refusal)
    request.state.access = access
    return access


def require(access: A, right: Right[A]) -> A:
    """Return the access; raises `HTTPException` 403 when it lacks a right."""
    if not right.is_held(access):
        raise HTTPException(status.HTTP_403_FORBIDDEN, right.refusal)
    return access


def _needs(right: Right[A]) -> Any:
    def check(access: Annotated[Any, Depends(visitor)]) -> Any:
        return require(access, right)

    return Depends(check)


ClearanceVisitor = Annotated[ClearanceAccess, Depends(visitor)]
"""Who asks for a page of the daily lists."""

ReviewVisitor = Annotated[ReviewAccess, Depends(visitor)]
"""Who asks for a page of the review that all with a role may see."""

Reviewer = Annotated[ReviewAccess, _needs(SEE_PROBLEMS)]
"""Who asks for a page with problem records; others are refused."""

Decider = Annotated[ReviewAccess, _needs(ACT)]
"""Who asks for something to be done; others are refused."""
