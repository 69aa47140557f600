"""Search for programs."""

from hub.api import Blueprint

blueprint = Blueprint("search_api", __name__, url_prefix="/api/v1", description="Search")
