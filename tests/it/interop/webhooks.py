"""The other side of a signature: the official `standardwebhooks` package for Python.

Reads a JSON array of questions on standard input, writes the array of answers. Each question has `op`; bodies are
text. Knows nothing of Tollgate.
"""

import json
import sys
from datetime import datetime, timezone

from standardwebhooks import Webhook


def sign(question):
    at = datetime.fromtimestamp(question["timestamp"], tz=timezone.utc)
    signature = Webhook(question["secret"]).sign(question["id"], at, question["body"])
    return {
        "webhook-id": question["id"],
        "webhook-timestamp": str(question["timestamp"]),
        "webhook-signature": signature,
    }


def verify(question):
    # What a library throws is its "no".
    try:
        event = Webhook(question["secret"]).verify(question["body"], question["headers"])
    except Exception as error:
        return {"accepted": False, "reason": f"{type(error).__name__}: {error}"}
    return {"accepted": True, "event": event}


class Given:
    """What the receiver in the README finds around it, in place of a web framework."""

    def __init__(self, question):
        self.question = question
        self.environ = {"TOLLGATE_SECRET": question["secret"]}
        self.headers = question["headers"]
        self.handler = None

    def post(self, _path):
        return lambda handler: setattr(self, "handler", handler)

    def get_data(self, as_text):
        return self.question["body"] if as_text else self.question["body"].encode()


def receive(question):
    """The receiver in the README, as it stands there."""
    credited = []
    given = Given(question)
    around = {"os": given, "app": given, "request": given, "credit": lambda *what: credited.append(what)}
    exec(question["code"], around)
    try:
        given.handler()
    except Exception as error:
        return {"accepted": False, "reason": f"{type(error).__name__}: {error}"}
    [(webhook_id, event)] = credited
    return {"accepted": webhook_id == question["headers"]["webhook-id"], "event": event}


OPERATIONS = {"standardwebhooks.sign": sign, "standardwebhooks.verify": verify, "readme.receive": receive}

# Bytes, because what a terminal's locale says is not what JSON is written in.
questions = json.loads(sys.stdin.buffer.read())
answers = [OPERATIONS[question["op"]](question) for question in questions]
sys.stdout.buffer.write(json.dumps(answers).encode())
