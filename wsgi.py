"""The application for a WSGI server."""

from hub import create_app

app = create_app()
