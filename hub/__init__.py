"""经纬 Jingwei: a federated hub for sharing what works. `create_app` is the table of contents."""

from flask import Flask

from hub import api, database, errors, web
from hub.application import Application
from hub.cases import api as cases_api
from hub.cases import views as cases_views
from hub.config import Settings
from hub.federation import api as federation_api
from hub.federation import metrics, oauth, oversight, receipts_api, repair_api, searching
from hub.federation import views as federation_views
from hub.federation.feeds import views as feeds_views
from hub.federation.files import views as files_views
from hub.federation.harvesting import views as harvesting_views
from hub.identity import access, sessions
from hub.identity import views as identity_views
from hub.registry import api as registry_api
from hub.search import api as search_api
from hub.search import delegated, elsewhere, personal, related_views, saved_views, wording
from hub.search import state_views as search_state
from hub.search import views as search_views


def create_app(config: Settings | None = None) -> Flask:
    """Build the application of one node."""
    config = config or Settings.load()
    app = Application(__name__)
    app.extensions["hub.settings"] = config
    database.init_app(app, config)
    web.init_app(app, config)
    errors.init_app(app)
    sessions.init_app(app)
    web.watch_forms(app, config)
    access.init_app(app)
    elsewhere.init_app(app, searching.ask)
    for views in (cases_views, search_views, identity_views, federation_views, oversight):
        app.register_blueprint(views.blueprint)
    for views in (harvesting_views, related_views, saved_views, search_state, personal, wording):
        app.register_blueprint(views.blueprint)
    for wire in (oauth, federation_api, repair_api, feeds_views, files_views, metrics, delegated):
        app.register_blueprint(wire.blueprint)
    parts = [cases_api.blueprint, search_api.blueprint]
    parts += [receipts_api.blueprint, files_views.programs, registry_api.blueprint]
    api.init_app(app, parts)
    return app
