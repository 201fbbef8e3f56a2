# SPDX-License-Identifier: GPL-2.0-or-later
"""The upstream archive of a source package of Debian's."""

import os
import re
import shutil
import subprocess
import tempfile
import threading

FETCH = threading.Lock()


class Unavailable(RuntimeError):
    """Why it is not to be had here."""


def source_lists():
    """The machine's own package sources, with source packages in place of binary ones: (suffix, text)."""
    names = ["/etc/apt/sources.list"]
    folder = "/etc/apt/sources.list.d"
    if os.path.isdir(folder):
        names += sorted(os.path.join(folder, n) for n in os.listdir(folder) if n.endswith((".list", ".sources")))
    for name in names:
        try:
            with open(name, encoding="utf-8") as file:
                text = file.read()
        except OSError:
            continue
        if name.endswith(".sources"):
            stanzas = [s for s in re.split(r"\n\s*\n", text) if re.search(r"^Types:.*\bdeb\b", s, re.M)]
            text = "\n\n".join(re.sub(r"^Types:.*$", "Types: deb-src", s, flags=re.M) for s in stanzas)
        else:
            lines = [line for line in text.splitlines() if line.startswith(("deb ", "deb\t"))]
            text = "\n".join("deb-src" + line[3:] for line in lines)
        if text.strip():
            yield os.path.splitext(name)[1], text + "\n"


def fetch(package, cache):
    """Downloads it by apt, under a configuration of our own."""
    with tempfile.TemporaryDirectory(prefix="hotdev-apt-") as root:
        for path in ("lists/partial", "cache/archives/partial", "parts"):
            os.makedirs(os.path.join(root, path))
        lists = list(source_lists())
        if not lists:
            raise Unavailable("this machine names no package sources")
        for number, (suffix, text) in enumerate(lists):
            with open(os.path.join(root, "parts", f"{number}{suffix}"), "w", encoding="utf-8") as out:
                out.write(text)
        options = []
        for key, value in (("Dir::Etc::sourcelist", "/dev/null"), ("Dir::Etc::sourceparts", root + "/parts"),
                           ("Dir::State::lists", root + "/lists"), ("Dir::Cache", root + "/cache"),
                           ("APT::Sandbox::User", "root"), ("Acquire::Retries", "2"), ("Acquire::http::Timeout", "30")):
            options += ["-o", f"{key}={value}"]
        for words in (["update"], ["source", "--download-only", package]):
            try:
                done = subprocess.run(["apt-get", "-q", *options, *words], cwd=root, text=True, timeout=300,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            except (OSError, subprocess.TimeoutExpired) as error:
                raise Unavailable(f"apt-get {words[0]}: {error}") from error
            if done.returncode != 0:
                raise Unavailable(f"apt-get {words[0]} failed: " + " ".join(done.stdout.splitlines()[-1:]))
        for name in os.listdir(root):
            if ".orig.tar." in name and not name.endswith(".asc"):
                os.makedirs(cache, exist_ok=True)
                shutil.move(os.path.join(root, name), os.path.join(cache, name + ".part"))
                os.rename(os.path.join(cache, name + ".part"), os.path.join(cache, name))
                return os.path.join(cache, name)
    raise Unavailable("the source package has no upstream archive")


def archive(package, cache):
    """Its path in the folder cache, where it is kept."""
    with FETCH:
        if os.path.isdir(cache):
            for name in os.listdir(cache):
                if name.startswith(package + "_") and ".orig.tar." in name and not name.endswith(".part"):
                    return os.path.join(cache, name)
        return fetch(package, cache)
