"""The blueprint that the pages about people hang on."""

from flask import Blueprint

blueprint = Blueprint("identity", "hub.identity", template_folder="templates")
