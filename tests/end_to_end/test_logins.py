"""Logins of docker-compose.yml at a real API server: passwords, locks, cookies, logout."""

import re
import stat
import subprocess
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from local_stack.cluster import Cluster
from zhengku.settings import project_home
from zhengku_airflow.logins import WRONG_PASSWORDS
from zhengku_airflow.passwords import SHORTEST

pytestmark = [pytest.mark.slow, pytest.mark.whole_airflow]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """An API server with its cookies as in production, and the parser that writes logs."""
    variables = {"ZHENGKU_COOKIE_SECURE": "True"}
    cluster = Cluster(project_home(), tmp_path_factory.mktemp("cluster"), print, variables, own_redis=True)
    try:
        cluster.up(("api-server", "dag-processor"))
        yield cluster
    finally:
        cluster.down()


def browser(cluster: Cluster) -> httpx.Client:
    """A client that asks as through the TLS in front, and sends cookies as a browser does."""
    return httpx.Client(base_url=cluster.address, headers={"X-Forwarded-Proto": "https"}, trust_env=False, timeout=60)


def sign_in(client: httpx.Client, login: str, password: str) -> httpx.Response:
    """Fill in the form of the login page; the answer is the page that follows."""
    form = client.get("/auth/login/")
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form.text)
    assert token is not None
    fields = {"username": login, "password": password, "csrf_token": token[1]}
    cookies = cookies_of(form)
    return client.post("/auth/login/", data=fields, headers={**cookies, "Referer": client_address(client)})


def client_address(client: httpx.Client) -> str:
    return str(client.base_url).replace("http:", "https:")


def cookies_of(answer: httpx.Response) -> dict[str, str]:
    """Return the header with the cookies that an answer set: the client keeps secure ones from a plain address."""
    pairs = [line.split(";")[0] for line in answer.headers.get_list("set-cookie")]
    return {"Cookie": "; ".join(pair for pair in pairs if not pair.endswith("="))}


def token(cluster: Cluster, login: str, password: str) -> httpx.Response:
    with browser(cluster) as client:
        return client.post("/auth/token", json={"username": login, "password": password})


def events(cluster: Cluster, login: str) -> list[str]:
    with psycopg.connect(cluster.postgres.url("airflow").replace("+psycopg", "")) as connection:
        found = connection.execute("select event from log where owner = %s and event like 'log%%' order by id", [login])
        return [event for (event,) in found]


def command(cluster: Cluster, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["airflow", *words], env=cluster.environment("init"), capture_output=True, text=True, check=False
    )


def test_cookies_go_over_tls_only_and_logout_ends_session_and_token(cluster):
    with browser(cluster) as client:
        answer = sign_in(client, "section", cluster.logins()["section"])
        assert answer.status_code == 302, answer.text
        jar = cookies_of(answer)
        # The start page gives the session its token.
        page = client.get("/auth/login/", headers=jar)
        set_cookies = [*answer.headers.get_list("set-cookie"), *page.headers.get_list("set-cookie")]
        assert {line.split("=")[0] for line in set_cookies} >= {"session", "_token"}
        for line in set_cookies:
            assert "; Secure" in line
            assert "; HttpOnly" in line
            assert "SameSite=Lax" in line
        session = jar["Cookie"]
        bearer = re.search("_token=([^;]+)", cookies_of(page)["Cookie"])
        assert bearer is not None
        authorised = {"Authorization": f"Bearer {bearer[1]}"}
        with_cookie = {"Cookie": f"{session}; _token={bearer[1]}"}
        assert client.get("/auth/users/userinfo/", headers=with_cookie).status_code == 200
        assert client.get("/ui/auth/me", headers=authorised).status_code == 200

        # What the menu's logout does, followed to its end.
        place = "/api/v2/auth/logout"
        for _ in range(4):
            left = client.get(place, headers=with_cookie)
            if left.status_code != 307 and left.status_code != 302:
                break
            place = str(httpx.URL(left.request.url).join(left.headers["location"]))
        assert left.status_code == 200
        assert place.endswith("/auth/login/")

        # A copy of the token, and one of the session, are refused.
        assert client.get("/ui/auth/me", headers=authorised).status_code == 403
        renewed = client.get("/auth/login/", headers={"Cookie": session})
        assert "_token=" not in cookies_of(renewed)["Cookie"]
        assert 'name="password"' in renewed.text
    assert events(cluster, "section")[-2:] == ["login", "logout"]


def test_login_is_locked_after_wrong_passwords_and_a_new_password_opens_it(cluster):
    login, password = "viewer", cluster.logins()["viewer"]
    assert token(cluster, login, password).status_code == 201
    for _ in range(WRONG_PASSWORDS):
        assert token(cluster, login, "wrong").status_code == 401
    # The right one is refused too, and so it is on the page, which says why without saying whether the login exists.
    assert token(cluster, login, password).status_code == 401
    with browser(cluster) as client:
        for name in (login, "nobody-of-this-name"):
            refused = sign_in(client, name, password)
            shown = client.get(refused.headers["location"], headers=cookies_of(refused))
            assert "锁定 15 分钟" in shown.text
    assert events(cluster, login) == [
        "login",
        *["login_failed"] * WRONG_PASSWORDS,
        "login_locked",
        *["login_refused"] * 2,
    ]
    renewed = "Neues-Kennwort-42"
    reset = command(cluster, "users", "reset-password", "--username", login, "--password", renewed)
    assert reset.returncode == 0, reset.stderr
    assert token(cluster, login, password).status_code == 401
    assert token(cluster, login, renewed).status_code == 201


def test_tries_at_the_same_time_are_all_counted(cluster):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        tried = list(pool.map(lambda number: token(cluster, "hall_echeng", f"wrong {number}").status_code, range(16)))
    assert set(tried) == {401}
    written = events(cluster, "hall_echeng")
    assert written.count("login_failed") == WRONG_PASSWORDS
    assert written.count("login_refused") == 16 - WRONG_PASSWORDS
    assert token(cluster, "hall_echeng", cluster.logins()["hall_echeng"]).status_code == 401


def test_weak_password_is_refused_wherever_it_is_set(cluster):
    person = ["--firstname", "A", "--lastname", "B", "--email", "a@localhost", "--role", "Viewer"]
    made = command(cluster, "users", "create", "--username", "weak", "--password", "short", *person)
    assert made.returncode != 0
    assert f"密码须有 {SHORTEST} 至" in made.stderr + made.stdout
    reset = command(cluster, "users", "reset-password", "--username", "admin", "--password", "aaaaaaaaaaaaaaaa")
    assert reset.returncode != 0
    assert "现在只有 1 类" in reset.stderr + reset.stdout
    answer = token(cluster, "admin", cluster.logins()["admin"])
    with browser(cluster) as client:
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        body = {"username": "weak", "email": "w@localhost", "first_name": "A", "last_name": "B"}
        body |= {"password": "123456789012", "roles": [{"name": "Viewer"}]}
        refused = client.post("/auth/fab/v1/users", json=body)
        assert refused.status_code == 400
        assert "现在只有 1 类" in refused.json()["detail"]
        changed = client.patch("/auth/fab/v1/users/admin?update_mask=password", json={"password": "weak"})
        assert changed.status_code == 400
    assert token(cluster, "admin", cluster.logins()["admin"]).status_code == 201


def test_logs_are_not_for_everybody(cluster):
    folder = cluster.state / "log"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((cluster.state / "secrets").stat().st_mode) == 0o700


def test_passwords_are_in_no_environment_and_no_command_line(cluster):
    secrets = {file.read_text() for file in cluster.secrets.iterdir()}
    for process in (cluster.program("api-server").process(), cluster.program("dag-processor").process()):
        assert process is not None
        words = [*process.cmdline(), *process.environ().values()]
        assert not [word for word in words if any(secret in word for secret in secrets)]
