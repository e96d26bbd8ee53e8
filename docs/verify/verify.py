"""Verifies a webhook of walroute (Standard Webhooks, v1) with nothing but Python's own library.

    from verify import verify
    event = json.loads(verify(os.environ["WEBHOOK_SECRET"], request.headers, raw_body))

raw_body is the bytes as they were received: parsed and written again they have another signature.
"""

import base64
import hashlib
import hmac
import re
import time

TOLERANCE_SECONDS = 5 * 60


def verify(secret, headers, raw_body, now=None):
    """Returns the body; raises ValueError if it wasn't signed with the secret, or not within five minutes."""
    headers = {name.lower(): value for name, value in headers.items()}
    message_id = headers.get("webhook-id")
    timestamp = headers.get("webhook-timestamp", "")
    signatures = headers.get("webhook-signature")
    if not message_id or not re.fullmatch("[0-9]{1,12}", timestamp) or not signatures:
        raise ValueError("not a signed webhook")
    if abs((time.time() if now is None else now) - int(timestamp)) > TOLERANCE_SECONDS:
        raise ValueError("too old, or too new")

    key = base64.b64decode(secret[len("whsec_"):] if secret.startswith("whsec_") else secret)
    signed = f"{message_id}.{timestamp}.".encode() + raw_body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    # While a secret is replaced there are several signatures: one that fits is enough.
    if not any([hmac.compare_digest(expected.encode(), each.encode()) for each in signatures.split(" ")]):
        raise ValueError("no signature fits")
    return raw_body
