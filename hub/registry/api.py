"""The peers of this node, for programs."""

from hub.api import Blueprint

blueprint = Blueprint("registry", __name__, url_prefix="/api/v1")
