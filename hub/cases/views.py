"""Pages of cases: reading, writing, reviewing."""

from flask import Blueprint

blueprint = Blueprint("cases", __name__, template_folder="templates")
