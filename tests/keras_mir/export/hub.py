"""A model hub on this machine, in place of Hugging Face's."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def hub_on_this_machine() -> Iterator[tuple[type[Hub], str]]:
    """What it has, empty at the start, and its address."""
    hub = type("ThisHub", (Hub,), {"private": {}, "commits": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield hub, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Hub(BaseHTTPRequestHandler):
    """Answers what huggingface_hub asks for for this package, as its endpoints do."""

    refuses = 0  # with this status whatever would be written
    private: dict[str, bool]
    commits: dict[str, dict[str, dict[str, bytes]]]  # by repository and number

    def do_POST(self):
        if self.refuses:
            return self.answer({"error": "Invalid username or password."}, self.refuses)
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        path = self.path.split("/")
        if self.path == "/api/repos/create":
            asked = json.loads(asked)
            name = f"{asked.get('organization') or 'me'}/{asked['name']}"
            self.private.setdefault(name, asked.get("visibility") == "private" or asked.get("private", False))
            self.commits.setdefault(name, {})
            return self.answer({"url": f"http://{self.headers['Host']}/{name}"})
        if self.path == "/api/validate-yaml":
            return self.answer({"errors": [], "warnings": []})
        name = "/".join(path[3:5])
        if "/preupload/" in self.path:
            files = json.loads(asked)["files"]
            modes = [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False} for file in files]
            return self.answer({"files": modes})
        lines = [json.loads(line) for line in asked.decode().splitlines()]
        files = {
            line["value"]["path"]: base64.b64decode(line["value"]["content"])
            for line in lines
            if line["key"] == "file"
        }
        number = hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()
        self.commits[name][number] = files
        url = f"http://{self.headers['Host']}/{name}/commit/{number}"
        return self.answer({"success": True, "commitOid": number, "commitUrl": url})

    def do_GET(self):
        path = self.path.partition("?")[0].split("/")
        if path[1] == "api":
            name, revision = "/".join(path[3:5]), path[6] if len(path) > 6 else "main"
            number, files = self.commit(name, revision)
            if files is None:
                missing = "Revision" if name in self.commits else "Repo"
                return self.answer({"error": "none"}, 404, **{"X-Error-Code": f"{missing}NotFound"})
            there = [{"rfilename": file, "size": len(files[file])} for file in files]
            return self.answer({"id": name, "sha": number, "siblings": there, "private": True, "tags": []})
        number, files = self.commit("/".join(path[1:3]), path[4])
        content = files[path[5]]
        tag = hashlib.sha1(content).hexdigest()
        return self.send(content, 200, **{"ETag": f'"{tag}"', "X-Repo-Commit": number})

    def do_HEAD(self):
        self.do_GET()

    def commit(self, name, revision):
        commits = self.commits.get(name, {})
        number = next(reversed(commits), None) if revision == "main" else revision
        return number, commits.get(number)

    def answer(self, value, status=200, **headers):
        self.send(json.dumps(value).encode(), status, **headers)

    def send(self, content, status, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_):
        pass
