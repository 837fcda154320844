"""The volume service (OpenStack's Cinder): REST and messages; drivers hold the data."""
