"""The token and registration endpoints."""

from flask import Blueprint

blueprint = Blueprint("oauth", __name__)
