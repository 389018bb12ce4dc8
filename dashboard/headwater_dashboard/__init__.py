"""The dashboard: a read API over the run database, and the page that shows it."""
