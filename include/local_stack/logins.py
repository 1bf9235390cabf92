"""Logins with passwords for `make cluster`: `python -m local_stack.logins` reads {login: [role, password]} as JSON.

It reads standard input, since anybody may read a command line. In production, use `airflow users create`.
"""

import json
import sys


def main() -> None:
    """Create each login that does not exist, and give each the role and the password."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
    from airflow.utils.providers_configuration_loader import providers_configuration_loaded

    wanted: dict[str, list[str]] = json.load(sys.stdin)

    @providers_configuration_loaded
    def make() -> None:
        with get_application_builder() as builder:
            manager = builder.sm
            for login, (role_name, password) in wanted.items():
                role = manager.find_role(role_name)
                if role is None:
                    sys.exit(f"no role {role_name}: `airflow roles import` comes first")
                user = manager.find_user(username=login)
                if user is None:
                    user = manager.add_user(login, login, "", f"{login}@localhost", role, password)
                elif not manager.reset_password(user.id, password):
                    user = None
                if not user:
                    sys.exit(f"the login {login} could not be made")

    make()


if __name__ == "__main__":
    main()
