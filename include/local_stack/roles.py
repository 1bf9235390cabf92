"""The roles of our pages: `python -m local_stack.roles` writes them for `airflow roles import`.

A role that exists already is left as it is.
"""

import json

from zhengku.catalog import load_catalog
from zhengku.pages.access import DATA_SECTION, SECTION, hall_role
from zhengku.settings import Settings

# What a login needs of Airflow to be led to the page, and to choose a password of its own. Whoever shall see DAGs too
# is given one of Airflow's roles beside.
_PERMISSIONS = {
    "Website": ("can_read",),
    "Plugins": ("can_read",),
    "My Profile": ("can_read", "can_edit"),
    "My Password": ("can_read", "can_edit"),
}

# Who decides about held batches answers what Airflow asks; the DAG itself says that he may (plugins/review_dag.py).
_ANSWERING = {
    "HITL Detail": ("can_read", "can_edit", "menu_access"),
    "DAG Runs": ("can_read",),
    "Task Instances": ("can_read",),
}


def role_permissions() -> dict[str, dict[str, tuple[str, ...]]]:
    """Return the roles, the sections' and one for the halls of each district, with what each needs of Airflow."""
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
