"""Reconciliation (比对): proof that nothing is missing between a department's system and the store."""

from zhengku.reconcile.checksum import checksum as checksum
from zhengku.reconcile.comparison import Reconciliation as Reconciliation
from zhengku.reconcile.comparison import Result as Result
