"""Pages with which an administrator joins a federation and looks after its peers."""

from flask import Blueprint

blueprint = Blueprint("federation", __name__, template_folder="templates")
