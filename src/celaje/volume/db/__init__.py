"""The volume service's own database: tables, and the queries that API and conductor run on them."""
