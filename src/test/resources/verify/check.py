"""As check.mjs; the first argument is the file with verify()."""

import base64
import importlib.util
import json
import sys

spec = importlib.util.spec_from_file_location("verify", sys.argv[1])
sample = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sample)
for line in sys.stdin:
    request = json.loads(line)
    try:
        sample.verify(request["secret"], request["headers"], base64.b64decode(request["body"]), request["now"] / 1000)
        print("ok")
    except ValueError:
        print("refused")
