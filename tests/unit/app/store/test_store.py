from app.store.store import Store, raise_topic, topic_versions


def test_versions(store: Store) -> None:
    assert store.write(lambda c: raise_topic(c, "logs")).result() == 1
    assert store.write(lambda c: raise_topic(c, "logs")).result() == 2
    with store.read() as connection:
        assert topic_versions(connection) == {"logs": 2}
