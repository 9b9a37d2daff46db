"""SavedModels as the tests have them."""

import base64
import os


def files(folder):
    """All files of a folder by their paths in it, in base64; without the fingerprint, which is another one each time."""
    found = {}
    for directory, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(directory, name)
            if name != "fingerprint.pb":
                with open(path, "rb") as file:
                    found[os.path.relpath(path, folder)] = base64.b64encode(file.read()).decode()
    return found
