"""The roles of our pages: `python -m zhengku_airflow.roles` writes them for `airflow roles import`.

The import does not change existing roles.
"""

import json

from zhengku.catalog import load_catalog
from zhengku.pages.access import DATA_SECTION, SECTION, hall_role
from zhengku.settings import Settings

# What a login needs in Airflow to open the pages and to change its password. A person who shall see DAGs gets one of
# Airflow's roles in addition.
_PERMISSIONS = {
    "Website": ("can_read",),
    "Plugins": ("can_read",),
    "My Profile": ("can_read", "can_edit"),
    "My Password": ("can_read", "can_edit"),
}

# The big-data section answers Airflow's questions about held batches; the DAG `held_batches` grants it access to them.
_ANSWERING = {
    "HITL Detail": ("can_read", "can_edit", "menu_access"),
    "DAG Runs": ("can_read",),
    "Task Instances": ("can_read",),
}


def role_permissions() -> dict[str, dict[str, tuple[str, ...]]]:
    """Return role → resource of Airflow → actions, for the sections and for the halls of each district."""
    districts = load_catalog(Settings.load().catalog_folder).districts
    roles = dict.fromkeys((SECTION, *(hall_role(district) for district in districts)), _PERMISSIONS)
    return {**roles, DATA_SECTION: {**_PERMISSIONS, **_ANSWERING}}


def main() -> None:
    """Write the roles to standard output, one entry per permission, in the form that `airflow roles import` reads."""
    entries = [
        {"name": role, "resource": resource, "action": ",".join(actions)}
        for role, permissions in role_permissions().items()
        for resource, actions in permissions.items()
    ]
    print(json.dumps(entries))


if __name__ == "__main__":
    main()
