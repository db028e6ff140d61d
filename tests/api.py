"""An integrator for tests: a token and JSON."""

import json

from django.test import Client

from crm.staff import tokens


class Integrator:
    """Calls the API with a token of `user`; answers carry `.status_code`, `.json()` and `.headers`."""

    def __init__(self, user, *scopes):
        text = tokens.issue(user, scopes or ("read", "write"))
        self.client = Client(headers={"Authorization": f"Bearer {text}"})

    def get(self, path, **query):
        return self.client.get(f"/api/v1/{path}", query)

    def post(self, path, body=None):
        return self.send("post", path, json.dumps(body if body is not None else {}))

    def patch(self, path, body):
        return self.send("patch", path, json.dumps(body))

    def delete(self, path):
        return self.client.delete(f"/api/v1/{path}")

    def upload(self, path, **parts):
        return self.client.post(f"/api/v1/{path}", parts)

    def send(self, method, path, raw, content_type="application/json"):
        return self.client.generic(method.upper(), f"/api/v1/{path}", raw, content_type=content_type)

    def pages(self, path, **query):
        """All rows, page by page."""
        rows, answer = [], self.get(path, **query).json()
        while True:
            rows += answer["results"]
            if answer["next"] is None:
                return rows
            answer = self.client.get(answer["next"]).json()
