"""The rates of 好差评, counted anew for the days that loaded batches touched."""

from datetime import datetime

from zhengku import clock
from zhengku.clearance.clearance_settings import ClearanceSettings
from zhengku.clearance.refresh import ServiceState
from zhengku.database import statement, store_connection


def refresh_rates(settings: ClearanceSettings, now: datetime | None = None) -> int:
    """Count the rates of the days anew that loaded batches touched; return how many days."""
    now = now or clock.now()
    with store_connection(settings.settings.database_url) as connection:
        ServiceState(settings).refresh(connection, now)
        # Lists may be published while the counting takes its time.
        connection.commit()
        connection.execute("select pg_advisory_xact_lock(hashtextextended('zhengku.clearance.rates', 0))")
        touched = connection.execute(statement("clearance/rates.take_days")).fetchall()
        days = sorted({row[0] for row in touched})
        basis = connection.execute(statement("clearance/basis.basis")).fetchone()
        if not days or basis is None:
            return 0
        values = {
            "days": days,
            "working_cutoffs": [settings.config.cutoff(day, "working") for day in days],
            "calendar_id": basis[0],
            "callback_working_days": settings.config.callback_working_days,
            "rectification_working_days": settings.config.rectification_working_days,
        }
        connection.execute(statement("clearance/rates.forget_rates"), values)
        connection.execute(statement("clearance/count_rates.count_rates"), values)
        return len(days)
