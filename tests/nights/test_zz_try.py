from tests.nights.test_clearance_nights import check
from simulator.services import ServiceCity
def test_x(tmp_path, database_url, server_url):
    check(tmp_path, database_url, server_url, ServiceCity(27, 20))
