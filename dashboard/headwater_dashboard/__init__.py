"""The dashboard: a read API over the run database, and the page that shows it.

`flowctl ui` starts it; `create_app` makes the ASGI application for another server. It needs the extra `dashboard`.
"""
