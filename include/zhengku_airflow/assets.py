"""The assets that the DAGs update, in Chinese groups; those of the store start other DAGs."""

from airflow.sdk import Asset, AssetAlias


def loaded_asset(subject: str) -> Asset:
    """Return the asset of a license type, or of another data set, in the store; each load of its rows updates it."""
    return Asset(name=f"store.{subject}", uri=f"zhengku://store/{subject}", group="证照库")


def loaded_alias(department_id: str) -> AssetAlias:
    """Return the alias of all assets that a department's loads update: which, its deliveries decide."""
    return AssetAlias(name=f"loaded.{department_id}", group="部门入库")


def backfilled_asset(department_id: str) -> Asset:
    """Return the asset of a department's past; each month of the backfill updates it."""
    return Asset(name=f"backfill.{department_id}", uri=f"zhengku://backfill/{department_id}", group="回溯")


def counted_asset(figure: str) -> Asset:
    """Return the asset of a figure about the stock; each count updates it."""
    return Asset(name=f"stock.{figure}", uri=f"zhengku://stock/{figure}", group="存量统计")
