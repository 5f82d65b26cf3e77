"""Who vouches for a model: signatures, the keys that are trusted, and all that must not pass."""

import base64
import contextlib
import dataclasses
import io
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from model import artifact as artifacts
from model import errors, signature
from model.__main__ import main
from model.audit import audit
from model.classifier import Classifier
from model.pointer import Pointer
from model.signature import Trust, generate, sign
from model.store import Store
from model.trust import FILE_BYTES, beside, trust
from tests.helpers import assert_one_line_error, missing, run_module, run_python, table
from tests.model.shelf import contents, point

MARK = b"digits-signature-1 "


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private key; its public key is beside it, and so are those of a stranger."""
    folder = tmp_path_factory.mktemp("keys")
    generate(folder / "other")
    generate(folder / "mine")
    return folder / "mine"


@pytest.fixture(scope="module")
def trusted(private: Path) -> Trust:
    return Trust.of(public(private))


def public(private: Path) -> str:
    return private.with_name(f"{private.name}.pub").read_text("ascii").strip()


def signed(store: Store, number: int, private: Path) -> Path:
    """Sign a version; returns where the signature stands."""
    path = store.path(number)
    beside(path).write_bytes(sign(private, artifacts.read(path).digest()))
    return beside(path)


@pytest.fixture
def kept(store: Store, trusted: Trust, private: Path) -> Store:
    """A store of versions 1, 2 and 10 that takes signed ones only: 1 and 2 are."""
    for number in (1, 2):
        signed(store, number, private)
    return Store(store.root, trusted)


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """What a command of ``python -m model`` says and returns, here: many are run."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(list(map(str, words)))
    return subprocess.CompletedProcess(words, status, out.getvalue(), err.getvalue())


# -- what passes ------------------------------------------------------------------------


def test_what_is_signed_by_a_trusted_key_is_read(kept: Store, private: Path) -> None:
    artifact = kept.read(1)
    assert artifact.version == 1
    assert kept.trust is not None
    assert kept.trust.check(kept.path(1), artifact.digest()) == public(private)
    assert Classifier.load(kept.path(1), kept.trust).version == 1


def test_several_keys_may_be_trusted(kept: Store, private: Path, tmp_path: Path) -> None:
    other, mine = public(private.with_name("other")), public(private)
    (tmp_path / "keys").write_text(f"# of the shop\n{other}\n\n  {mine}\r\n", "ascii")
    for said in (f"{other}, {mine}", str(tmp_path / "keys")):
        assert Store(kept.root, trust(said)).read(1).version == 1


def test_where_nobody_is_trusted_nobody_has_to_sign(kept: Store) -> None:
    assert trust(None) is trust("") is None
    assert Store(kept.root).read(10).version == 10


def test_an_artifact_stays_what_it_was(store: Store, private: Path) -> None:
    before = contents(store)
    file = signed(store, 1, private)
    assert contents(store) == {**before, file.name: file.read_bytes()}


def test_a_signature_is_what_the_format_says(kept: Store, private: Path) -> None:
    """By another implementation: OpenSSL's command."""
    found = beside(kept.path(1)).read_bytes()
    assert found.startswith(MARK)
    assert len(found) == FILE_BYTES
    folder = private.parent
    (folder / "raw").write_bytes(base64.b64decode(found.removeprefix(MARK)))
    (folder / "said").write_bytes(b"digits-signature-1\n%s\n" % kept.read(1).digest().encode())
    verify = ["openssl", "pkeyutl", "-verify", "-rawin", "-in", "said", "-sigfile", "raw"]
    try:
        done = subprocess.run(
            [*verify, "-inkey", str(private)],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        missing("the command openssl is needed")
    assert (done.returncode, "Success" in done.stdout) == (0, True), done.stderr


# -- what does not ----------------------------------------------------------------------


def edited(change: Callable[[bytes], bytes]) -> Callable[[Store, Path], object]:
    """Change the bytes of the signature of version 1."""

    def edit(store: Store, _: Path) -> None:
        file = beside(store.path(1))
        file.write_bytes(change(file.read_bytes()))

    return edit


def flipped(place: int) -> Callable[[bytes], bytes]:
    return lambda found: found[:place] + bytes([found[place] ^ 1]) + found[place + 1 :]


def linked(store: Store, _: Path) -> None:
    file = beside(store.path(1))
    file.rename(store.root.with_name("out"))
    file.symlink_to(store.root.with_name("out"))


def replaced(store: Store, _: Path) -> None:
    """Other content under the name, and the number, of the version that was signed."""
    artifact = dataclasses.replace(Store(store.root).read(1), training={"recipe": "another"})
    store.path(1).write_bytes(artifacts.encode(artifact))


def renamed(store: Store, _: Path) -> None:
    """Version 2 with its own signature under the name of version 1."""
    for path, to in (
        (store.path(2), store.path(1)),
        *[(beside(store.file(2)), beside(store.file(1)))],
    ):
        to.write_bytes(path.read_bytes())


def other_letter(found: bytes) -> bytes:
    """Still base64, of another signature."""
    at = len(MARK) + 10
    return found[:at] + (b"B" if found[at : at + 1] == b"A" else b"A") + found[at + 1 :]


def shut(store: Store, _: Path) -> None:
    beside(store.path(1)).unlink()
    beside(store.path(1)).mkdir()


def piped(store: Store, _: Path) -> None:
    beside(store.path(1)).unlink()
    os.mkfifo(beside(store.path(1)))


def by(name: str) -> Callable[[Store, Path], object]:
    return lambda store, private: signed(Store(store.root), 1, private.with_name(name))


HOSTILE = {
    "none": (lambda store, _: beside(store.path(1)).unlink(), "is not signed"),
    "empty": (edited(lambda _: b""), "version 1"),
    "truncated": (edited(lambda found: found[:-10]), "version 1"),
    "without its last line feed": (edited(lambda found: found[:-1]), "version 1"),
    "a line feed more": (edited(lambda found: found + b"\n"), "longer than"),
    "bytes behind it": (edited(lambda found: found + b"x" * 10_000), "longer than"),
    "a byte behind its line": (edited(lambda found: found[:-1] + b" "), "version 1"),
    "another letter": (edited(other_letter), "by a key that is trusted"),
    "a flipped bit of its mark": (edited(flipped(3)), "version 1"),
    "of a later version of the format": (
        edited(lambda found: found.replace(b"-1 ", b"-2 ")),
        "version 1",
    ),
    "unused bits of base64 set": (
        edited(lambda found: found.replace(b"==\n", b"=\n")),
        "version 1",
    ),
    "all zeros": (edited(lambda _: MARK + base64.b64encode(bytes(64)) + b"\n"), "by a key that"),
    "not ASCII": (edited(lambda found: found[:-5] + b"\xff" * 5), "version 1"),
    "by another key": (by("other"), "by a key that is trusted"),
    "of another version": (
        lambda store, _: beside(store.path(1)).write_bytes(beside(store.path(2)).read_bytes()),
        "by a key that is trusted",
    ),
    "of what the file was before": (replaced, "by a key that is trusted"),
    "renamed together with its version": (renamed, "holds version 2"),
    "a link out of the store": (linked, "leaves the store"),
    "a directory": (
        shut,
        "not a regular file",
    ),
    "a pipe that nobody writes to": (piped, "not a regular file"),
}


@table("act, words", HOSTILE)
def test_a_version_without_a_good_signature_gets_nowhere(
    act: Callable[[Store, Path], object], words: str, kept: Store, private: Path
) -> None:
    kept.promote(2)
    act(kept, private)
    for attempt in (lambda: kept.read(1), lambda: kept.promote(1), lambda: kept.challenge(1)):
        with pytest.raises(errors.ModelError, match=words) as refused:
            attempt()
        assert str(kept.root) in str(refused.value)
    assert kept.aliases() == {"champion": 2}
    [bad] = [finding for finding in audit(kept) if finding.path == kept.path(1)]
    assert bad.is_bad
    assert words in str(bad.found)


def test_a_link_within_the_store_is_followed(kept: Store) -> None:
    """As Kubernetes mounts files."""
    file = beside(kept.path(1))
    file.rename(kept.root / "elsewhere")
    file.symlink_to("elsewhere")
    assert kept.read(1).version == 1


def test_a_rollback_goes_to_what_is_signed_only(kept: Store) -> None:
    kept.promote(1)
    kept.promote(2)
    beside(kept.path(1)).unlink()
    with pytest.raises(errors.NotSigned, match="is not signed"):
        kept.rollback()
    assert kept.aliases() == {"champion": 2, "previous": 1}


def test_what_was_signed_since_is_another_to_who_watches(kept: Store, private: Path) -> None:
    point(kept, {"champion": 10})
    for pointer, has_moved in ((Pointer(kept.root, kept.trust), True), (Pointer(kept.root), False)):
        pointer.read()
        signed(Store(kept.root), 10, private)
        assert (pointer.read().moved == {"champion"}) == has_moved
        beside(kept.path(10)).unlink()


# -- with a store -----------------------------------------------------------------------


def test_a_seed_takes_its_signature_along(kept: Store, tmp_path: Path) -> None:
    source = kept.path(1)
    new = Store(tmp_path / "new", kept.trust)
    done = run("seed", source, "--store", new.root)
    assert done.returncode == 0, done.stderr
    assert new.aliases() == {"champion": 1}
    assert new.read(1).version == 1


@table(
    "command",
    {
        "seed": ["seed", "{}/digits-10.npz"],
        "promote": ["promote", "10"],
        "challenge": ["challenge", "10"],
        "verify": ["verify", "{}/digits-10.npz"],
        "show": ["show", "{}/digits-10.npz"],
        "predict": ["predict", "none.npy", "--artifact", "{}/digits-10.npz"],
    },
)
def test_no_command_takes_what_is_not_signed(
    command: list[str], kept: Store, private: Path, tmp_path: Path
) -> None:
    words = [word.format(kept.root) for word in command]
    store = tmp_path / "empty" if command[0] == "seed" else kept.root
    done = run(*words, "--store", store, "--trust", public(private))
    assert_one_line_error(done, "digits-10.npz: is not signed", "python -m model sign")


def test_pruning_takes_signatures_along(kept: Store, private: Path) -> None:
    signed(Store(kept.root), 10, private)
    left = kept.root / f".digits-3.npz.sig.{'0' * 32}.tmp"
    left.touch()
    kept.promote(2)
    kept.prune(1)
    assert {path.name for path in kept.root.iterdir()} == {
        *("digits-2.npz", "digits-2.npz.sig", "digits-10.npz", "digits-10.npz.sig"),
        *("champion", "history.jsonl"),
    }


# -- the commands -----------------------------------------------------------------------


def test_a_model_is_signed_and_verified_by_commands(store: Store, tmp_path: Path) -> None:
    key = tmp_path / "key"
    made = run_module("model", "keygen", key)
    assert made.stdout == f"DIGITS_MODEL_KEY={public(key)}\n"
    assert (key.stat().st_mode & 0o777, b"PRIVATE KEY" in key.read_bytes()) == (0o600, True)
    done = run_module("model", "sign", store.path(2), "--key", key)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{store.path(2)}.sig: signs ")
    for command, environ in (
        (["--trust", str(tmp_path / "key.pub")], {}),
        ([], {"DIGITS_MODEL_KEY": public(key)}),
    ):
        seen = run_module("model", "verify", store.path(2), *command, environ=environ)
        assert seen.stdout.endswith(f", signed by {public(key)}\n")


def test_all_of_a_store_is_told_with_who_has_signed_it(kept: Store, private: Path) -> None:
    plain = run("verify", "--all", "--store", kept.root)
    assert plain.returncode == 0
    assert [line.partition("replayed")[2] for line in plain.stdout.splitlines()[:3]] == [
        ", with a signature that was not checked: no key is trusted",
        ", with a signature that was not checked: no key is trusted",
        "",
    ]
    done = run("verify", "--all", "--store", kept.root, "--trust", public(private))
    assert [f"signed by {public(private)}" in line for line in done.stdout.splitlines()[:3]] == [
        *(True, True, False)
    ]
    assert_one_line_error(done, "1 of ", "digits-10.npz")


def test_a_key_is_never_written_over(private: Path) -> None:
    before = private.read_bytes()
    assert_one_line_error(run("keygen", private), str(private), "not there yet")
    assert private.read_bytes() == before


@table(
    "content",
    {
        "no file": None,
        "nothing": b"",
        "a public key": b"MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n",
        "no PEM": b"-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n",
    },
)
def test_who_cannot_sign_is_told_why(content: bytes | None, store: Store, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    done = run("sign", store.path(1), "--key", tmp_path / "key")
    assert_one_line_error(done, f"{tmp_path}/key: ", "private key")
    assert not beside(store.path(1)).exists()


@table(
    "said, words",
    {
        "no such file": ("none.pub", "neither a public key of 44 letters nor a file"),
        "a key that is cut off": ("A" * 42 + "=", "neither a public key"),
        "a key and something else": ("A" * 43 + "=,x", "neither a public key"),
        "a file without keys": (b"# soon\n", "has no public key"),
        "a file with a bad one": (b"A" * 43 + b"=\nshort\n", "key 2 is no public key"),
        "a private key": (b"-----BEGIN PRIVATE KEY-----\n", "key 1 is no public key"),
        "a file of other letters": (b"\xff" * 44, "neither a public key"),
    },
)
def test_keys_that_are_none_are_told(said: str | bytes, words: str, tmp_path: Path) -> None:
    if isinstance(said, bytes):
        (tmp_path / "keys").write_bytes(said)
        said = str(tmp_path / "keys")
    with pytest.raises(errors.KeyUnusable, match=words) as told:
        trust(said)
    assert "BEGIN" not in str(told.value)


WITHOUT = "import sys; sys.modules['cryptography'] = None; "


def test_without_the_package_a_key_is_a_clear_error_and_nothing_else_is(tmp_path: Path) -> None:
    store, key = tmp_path / "store", "A" * 43 + "="
    words = f"'seed', '--store', {str(store)!r}"
    begin = f"{WITHOUT} from model.__main__ import main; "
    assert run_python(f"{begin} sys.exit(main([{words}]))").returncode == 0
    done = run_python(f"{begin} sys.exit(main([{words}, '--trust', '{key}']))")
    assert_one_line_error(done, "cryptography", 'pip install "digits[signing]"')
    serve = f"{WITHOUT} import os; os.environ['DIGITS_MODEL_KEY'] = '{key}'; "
    serve += "from service.__main__ import main; sys.exit(main(['--check']))"
    served = run_python(serve)
    assert (served.returncode, served.stdout) == (1, "")
    [line] = served.stderr.splitlines()
    assert line.startswith("digits: cannot start: signatures take a package")


def test_nothing_is_imported_where_no_key_is_set() -> None:
    done = run_python("import sys, model, model.__main__, service.models; print(*sys.modules)")
    assert not {"cryptography", signature.__name__} & set(done.stdout.split())
