"""The compute service's database: tables and queries. Only its API and conductor import it."""
