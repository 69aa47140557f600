"""Cases and pilot lessons for programs."""

from flask_smorest import Blueprint

blueprint = Blueprint("cases_api", __name__, url_prefix="/api/v1")
