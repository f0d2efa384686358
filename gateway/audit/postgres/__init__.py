"""The log in PostgreSQL: one database for the logs of several gateways, each written by one process.

connection: how it is reached. reading, writing: the two sides of a log. lock: a lock store. schema, migrations: the
tables, by SQLAlchemy Core and Alembic, which nothing else uses.
"""
