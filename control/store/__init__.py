"""Everything durable: Peewee on SQLite. Rows stay in here; frozen dataclasses come out."""
