def test_platform__made__has_two_organizations_per_placement(platform, database):
    assert {kind: len(pair) for kind, pair in platform.items()} == {"pool": 2, "schema": 2, "database": 2}
