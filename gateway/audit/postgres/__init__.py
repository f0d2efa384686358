"""The log in PostgreSQL: one database for the logs of several gateways, each log written by one process.

connection: connects. reading, writing: the two sides of a log. lock: a lock store. schema, migrations: the tables, by
SQLAlchemy Core and Alembic, which nothing else uses.
"""
