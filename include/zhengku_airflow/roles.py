"""The roles of our pages: `python -m zhengku_airflow.roles` writes them for `airflow roles import`.

The import leaves roles that exist as they are.
"""

import json

from zhengku.catalog import load_catalog
from zhengku.pages.access import DATA_SECTION, SECTION, hall_role
from zhengku.settings import Settings

# What a login needs of Airflow to reach the pages, and to choose a password of its own. A person who shall see DAGs is
# given one of Airflow's roles in addition.
_PERMISSIONS = {
    "Website": ("can_read",),
    "Plugins": ("can_read",),
    "My Profile": ("can_read", "can_edit"),
    "My Password": ("can_read", "can_edit"),
}

# Whoever decides about held batches answers Airflow's questions; the DAG `held_batches` itself grants access to them.
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
    """Write the roles to standard output, an entry for each permission, as `airflow roles import` reads them."""
    entries = [
        {"name": role, "resource": resource, "action": ",".join(actions)}
        for role, permissions in role_permissions().items()
        for resource, actions in permissions.items()
    ]
    print(json.dumps(entries))


if __name__ == "__main__":
    main()
