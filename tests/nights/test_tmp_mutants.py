import pytest
from psycopg import sql
from tests.nights import test_problem_nights as t
from zhengku import database
from zhengku.settings import project_home
reviewed, register = t.reviewed, t.register
M = [
 ("load/settle","least(n.first_opened_at, s.first_opened_at)","n.first_opened_at"),
 ("load/settle","greatest(n.attempts, s.attempts + 1)","n.attempts"),
 ("load/settle","max(attempts) as attempts","min(attempts) as attempts"),
 ("load/settle","        and q.last_batch_id < %(batch_id)s\n        and (q.version_at <= n","        and (q.version_at <= n"),
 ("load/settle","order by problem_id asc, solution asc, replaced_by desc","order by problem_id asc, solution desc, replaced_by desc"),
 ("load/settle","order by problem_id asc, solution asc, replaced_by desc","order by problem_id asc, solution asc, replaced_by asc"),
 ("load/quarantine","q.times_seen + %(is_delivery)s::boolean::integer","q.times_seen + 1"),
 ("load/quarantine","where status in ('open', 'returned', 'waived')\ndo update","where status in ('open', 'returned', 'waived')\ndo update"),
 ("load/quarantine","md5(p.content || array_to_string(p.rules, ',') || p.place)","md5(p.content || p.place)"),
 ("load/gone","and last_batch_id < %(batch_id)s","and last_batch_id < %(batch_id)s and status <> 'waived'"),
 ("review/end_waivers","waived_until < %(today)s","waived_until <= %(today)s"),
 ("review/end_waivers","due_on = null,",""),
 ("review/waive","status in ('open', 'returned')","status in ('open')"),
 ("review/close","coalesce(solution, 'waived')","'waived'"),
 ("review/close_corrected","solved_at < %(solved_before)s","true"),
 ("review/return_open","status = 'open'","status in ('open','returned')"),
 ("load/settle","'superseded', 'duplicate')","'superseded', 'duplicate', 'quarantined')"),
 ("review/unsolved_payloads","status in ('open', 'returned', 'waived')","status in ('open', 'returned')"),
]
@pytest.mark.parametrize("n", range(len(M)))
def test_m(n, request, monkeypatch):
    name, old, new = M[n]
    text = (project_home()/"sql"/f"{name}.sql").read_text()
    assert old in text
    mutant = sql.SQL(text.replace(old,new))
    un = database.statement
    st = lambda w: mutant if w==name else un(w)
    import zhengku.load.merge, zhengku.review.problems, zhengku.review.returns, zhengku.review.redrive
    for m in ("load.merge","review.problems","review.returns","review.redrive"):
        monkeypatch.setattr(f"zhengku.{m}.statement", st)
    seen=None
    for deliveries, fixture in (("snapshots","register"),):
        i = request.getfixturevalue(fixture)
        for night in t.ProblemNights(deliveries).nights():
            try:
                t.pass_by(i, night)
                d = t.differences(i.settings.database_url, night)
            except Exception as e:
                d=[repr(e)]
            if d: print(f"MUTANT {n} {name} killed night {night.number}: {d[0][:160]}"); return
    assert 0, f"survived {n} {M[n]}"
