"""The same as the commands, by Beam, in several processes; what outlives a kill; files that are elsewhere."""

from __future__ import annotations

import ast
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("apache_beam")

REPOSITORY = Path(__file__).parents[3]
DASK = "--runner=apache_beam.runners.dask.dask_runner.DaskRunner"
TWO = ("--", "--runner=DirectRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2")


def files(folder: Path) -> dict[str, bytes]:
    """All that is in a data set, but what Beam's run keeps beside it."""
    return {
        name: path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not (name := path.relative_to(folder).as_posix()).startswith(("extracted/", "dead_letters/"))
    }


def letters(out: Path) -> list[tuple[str, str]]:
    import pandas as pd

    return sorted(pd.read_parquet(out / "dead_letters").itertuples(index=False, name=None))


def prepare(music: Path, out: Path) -> list[object]:
    return [music, "--labels", music / "labels.csv", "--out", out]


@pytest.fixture(scope="module")
def data(music, run, tmp_path_factory) -> Path:
    """What the command makes of the clips."""
    out = tmp_path_factory.mktemp("data") / "DATA"
    assert run("prepare", *prepare(music, out)).returncode == 1
    return out


class TestPrepare:
    def test_it_is_the_commands_byte_by_byte(self, music, data, run, tmp_path):
        out = tmp_path / "DATA"
        done = run("beam prepare", *prepare(music, out), "--chunk", 2, more=TWO)
        assert done.returncode == 1, done.stderr
        assert "8 extracted, 0 already there, 1 failed\n" in done.stdout
        assert done.stdout.splitlines()[-1] == "0:16 of music extracted"
        assert done.stderr == "9 clips in 5 chunks to do by Beam\n"
        assert files(out) == files(data)
        bad = str(music / "Jazz/bad.flac")
        ((path, reason),) = letters(out)
        assert path == bad
        again = run("prepare", *prepare(music, data))
        assert reason in " ".join(again.stdout.replace("\u2502", " ").split())
        shards = sorted(path.name for path in (out / "extracted").iterdir())
        again = run("beam prepare", *prepare(music, out), "--chunk", 2, more=TWO)
        assert "0 extracted, 8 already there, 1 failed\n" in again.stdout
        assert sorted(path.name for path in (out / "extracted").iterdir()) == shards
        assert letters(out) == [(path, reason)]

    @pytest.mark.parametrize("whole", [True, False], ids=["all", "a worker"])
    def test_what_was_killed_goes_on(self, whole, music, data, run, environment, tmp_path):
        out = tmp_path / "DATA"
        words = ["beam", "prepare", *prepare(music, out), "--chunk", "1", *TWO]
        line = [sys.executable, "-m", "keras_mir", *map(str, words)]
        with subprocess.Popen(
            line,
            cwd=REPOSITORY,
            env=environment,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            while len(list((out / "extracted").glob("*.parquet"))) < 3:
                assert process.poll() is None
                time.sleep(0.02)
            if whole:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                os.kill(workers_of(process.pid)[0], signal.SIGKILL)
                _, said = process.communicate(timeout=120)
                assert process.returncode == 2
                assert said.splitlines()[1:] == [
                    "error: a worker process of Beam's was killed; what is done is kept, run it again"
                ]
        before = {path.name: path.read_bytes() for path in (out / "extracted").glob("*.parquet")}
        assert 3 <= len(before) < 8
        done = run("beam prepare", *prepare(music, out), "--chunk", 1, more=TWO)
        assert " already there, 1 failed\n" in done.stdout
        assert "8 extracted" not in done.stdout
        assert files(out) == files(data)
        after = {path.name: path.read_bytes() for path in (out / "extracted").iterdir()}
        assert len(after) == 8
        assert {name: after[name] for name in before} == before

    def test_changed_sound_and_lost_files_are_extracted_anew(self, music, run, tmp_path):
        import shutil

        import pandas as pd

        folder, out = tmp_path / "MUSIC", tmp_path / "DATA"
        shutil.copytree(music, folder)
        assert run("beam prepare", *prepare(folder, out)).returncode == 1
        shutil.copy(folder / "Metal/Metal0.flac", folder / "Metal/Metal1.flac")
        done = run("beam prepare", *prepare(folder, out))
        assert "1 extracted, 7 already there, 1 failed\n" in done.stdout
        shutil.rmtree(out / "beats")
        done = run("beam prepare", *prepare(folder, out))
        assert "8 extracted, 0 already there, 1 failed\n" in done.stdout
        assert len(list((out / "beats").iterdir())) == 8
        assert pd.read_parquet(out / "extracted")["id"].is_unique


def workers_of(pid: int) -> list[int]:
    """Beam's worker processes of a command, each of which a shell has started."""
    listing = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True)
    rows = [line.split(None, 2) for line in listing.stdout.splitlines()]
    shells = {own for own, parent, _ in rows if int(parent) == pid}
    return [int(own) for own, parent, words in rows if parent in shells and "sdk_worker_main" in words]


@pytest.fixture(scope="module")
def model(course_data, tmp_path_factory) -> Path:
    """An exported model, trained for a moment."""
    from rich.console import Console

    import keras_mir as km

    folder = tmp_path_factory.mktemp("model")
    settings = {"units": 8, "layers": 1, "epochs": 1, "batch_size": 16}
    out = folder / "run"
    trained = km.train("lstm-beat-mel", data=course_data, out=out, console=Console(quiet=True), **settings)
    return trained.export(folder / "models")


class TestSongs:
    def test_vectors_are_those_of_the_command(self, music, model, run, tmp_path):
        from keras_mir.embed.table import read_table, write_table

        one, shards = tmp_path / "vectors.parquet", tmp_path / "VECTORS"
        command = run("embed", music, "--model", model, "--out", one)
        words = [music, "--model", model, "--out", shards, "--chunk", 3]
        done = run("beam embed", *words, more=TWO)
        assert done.returncode == command.returncode == 1
        assert "8 embedded, 1 failed; 0:16 of music" in done.stderr.splitlines()
        assert len(list(shards.glob("*.parquet"))) == 3
        write_table(read_table(shards).songs, tmp_path / "joined.parquet")
        assert (tmp_path / "joined.parquet").read_bytes() == one.read_bytes()
        (letter,) = letters(shards)
        assert f"error: {letter[1]}" in command.stderr.splitlines()
        again = run("beam embed", *words, more=TWO)
        assert "1 failed, 8 already there" in again.stderr
        similar = run("similar", music / "Jazz/Jazz0.flac", "--in", shards)
        assert similar.returncode == 0, similar.stderr

    def test_answers_are_those_of_the_command(self, music, model, run, tmp_path):
        import io

        import pandas as pd

        out = tmp_path / "ANSWERS"
        words = [music, "--model", model, "--out", out]
        assert run("beam predict", *words, "--chunk", 3, more=TWO).returncode == 1
        answers = pd.concat(map(pd.read_parquet, sorted(out.glob("*.parquet"))))
        command = run("predict", music, "--model", model, "--csv")
        expected = pd.read_csv(io.StringIO(command.stdout))
        answers = answers.sort_values("path", ignore_index=True)
        assert set(answers.pop("model")) == {"lstm-beat-mel/1"}
        pd.testing.assert_frame_equal(answers[expected.columns], expected, atol=2e-6, check_dtype=False)
        (letter,) = letters(out)
        assert f"error: {letter[1]}" in command.stderr.splitlines()

    def test_songs_that_change_or_go(self, music, model, run, tmp_path):
        import shutil

        from keras_mir.embed.table import read_table

        folder, out = tmp_path / "MUSIC", tmp_path / "VECTORS"
        shutil.copytree(music, folder)
        words = [folder, "--model", model, "--out", out]
        run("beam embed", *words, "--chunk", 3)
        (folder / "Jazz/Jazz3.flac").unlink()
        (folder / "Jazz/bad.flac").unlink()
        shutil.copy(folder / "Metal/Metal0.flac", folder / "Metal/Metal1.flac")
        done = run("beam embed", *words, "--chunk", 3)
        assert done.returncode == 0, done.stderr
        assert "1 embedded, 6 already there; 0:02 of music" in done.stderr.splitlines()
        songs = read_table(out).frame
        assert len(songs) == 7
        assert songs["sha256"].nunique() == 6

    def test_a_runner_that_there_is_not(self, music, run, tmp_path):
        done = run("beam prepare", *prepare(music, tmp_path / "DATA"), more=("--", "--runner=Cray"))
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1].startswith(
            "error: Beam's runner: Unexpected pipeline runner: Cray. "
        )
        assert not (tmp_path / "DATA").exists()

    @pytest.mark.parametrize(
        ("option", "said"),
        [
            (
                "--direct_num_wrokers=2",
                "--direct_num_wrokers: no option of Beam's; correct what stands after --",
            ),
            (
                "--direct_num_workers=two",
                "--direct_num_workers: invalid int value: 'two'; correct what stands after --",
            ),
        ],
    )
    def test_options_that_beam_cannot_take(self, option, said, tmp_path, capsys):
        from keras_mir.beam.__main__ import main

        assert main(["embed", str(tmp_path), "--model", "m", "--out", "OUT", "--", option]) == 2
        assert capsys.readouterr().err == f"error: {said}\n"

    @pytest.mark.parametrize(
        ("option", "place"),
        [("", "MUSIC/**"), ("--labels", "labels.csv"), ("--out", "DATA/dataset.json")],
        ids=["music", "labels", "out"],
    )
    @pytest.mark.parametrize(
        ("bucket", "said"),
        [
            ("other://bucket", "Beam has no file system for other://; copy the files to this machine"),
            (
                "azfs://bucket",
                r"Beam has no file system for azfs://; pip install 'apache-beam[azure]', or copy",
            ),
            ("s3://", "it names no bucket; write s3://BUCKET/NAME"),
        ],
    )
    def test_places_that_beam_cannot_reach(self, option, place, bucket, said, music, tmp_path, capsys):
        from keras_mir.beam.__main__ import main

        given = {"": str(music), "--labels": str(music / "labels.csv"), "--out": str(tmp_path / "DATA")}
        named = f"{bucket}/{place}"
        given[option] = named.removesuffix("/**").removesuffix("/dataset.json")
        assert main(["prepare", given.pop(""), *chain.from_iterable(given.items())]) == 2
        printed = capsys.readouterr().err
        assert printed.startswith(f"error: {named}: {said}")
        assert printed.count("\n") == 1
        assert not list(tmp_path.iterdir())

    def test_a_place_that_does_not_let_one_in(self, music, monkeypatch, capsys):
        from apache_beam.io.filesystem import BeamIOError

        from keras_mir.beam import files
        from keras_mir.beam.__main__ import main

        def refuse(place):
            raise BeamIOError("Exists operation failed", {place: PermissionError("Forbidden")})

        monkeypatch.setattr(files.FileSystems, "get_filesystem", lambda _: SimpleNamespace(exists=refuse))
        assert main(["prepare", str(music), "--out", "s3://bucket/DATA"]) == 2
        assert capsys.readouterr().err == (
            "error: s3://bucket/DATA/dataset.json: Beam cannot look there (Forbidden); "
            "check the name, the region and what lets you in\n"
        )

    def test_a_remote_table_that_is_not_there(self, music, tmp_path, monkeypatch, capsys):
        from keras_mir.beam import files
        from keras_mir.beam.__main__ import main

        nothing = SimpleNamespace(exists=lambda _: False)
        monkeypatch.setattr(files.FileSystems, "get_filesystem", lambda _: nothing)
        table = "s3://bucket/labels.csv"
        assert main(["prepare", str(music), "--labels", table, "--out", str(tmp_path / "DATA")]) == 2
        assert capsys.readouterr().err == f"error: {table}: no such file or directory; check the file\n"
        assert not list(tmp_path.iterdir())

    def test_shards_of_another_model_are_refused(self, music, model, run, tmp_path):
        import pandas as pd

        out = tmp_path / "ANSWERS"
        run("beam predict", music / "Jazz/Jazz0.flac", "--model", model, "--out", out)
        done = run("beam embed", music, "--model", model, "--out", out)
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1].startswith(f"error: --out {out}: its shards are of ")
        (shard,) = out.glob("*.parquet")
        pd.DataFrame({"a": [1]}).to_parquet(shard)
        done = run("beam predict", music, "--model", model, "--out", out)
        assert done.returncode == 2
        assert "its shards are of another program, and these would be of " in done.stderr.splitlines()[-1]


class TestTransforms:
    def test_features_in_a_pipeline_of_ones_own(self, music):
        import apache_beam as beam
        from apache_beam.testing.test_pipeline import TestPipeline
        from apache_beam.testing.util import assert_that, equal_to

        from keras_mir.beam import ExtractFeatures
        from pipelines.extraction.features import extract
        from pipelines.spec import FeatureSpec

        spec = FeatureSpec(hop_length=1024)
        good, bad = str(music / "Metal/Metal0.flac"), str(music / "Jazz/bad.flac")
        shape = extract(Path(good), spec).fused.shape
        with TestPipeline() as pipeline:
            made, failed = pipeline | beam.Create([good, bad, "/no/such.mp3"]) | ExtractFeatures(spec)
            shapes = made | beam.MapTuple(lambda name, features: (name, features.fused.shape))
            assert_that(shapes, equal_to([(good, shape)]), "made")
            paths = failed | beam.Map(lambda letter: letter.path)
            assert_that(paths, equal_to([bad, "/no/such.mp3"]), "failed")

    def test_what_is_wrong_is_said_before_there_is_a_pipeline(self):
        from keras_mir.beam import Embed, ExtractFeatures, Predict
        from pipelines.errors import UserError
        from pipelines.spec import FeatureSpec

        for make in (
            lambda: Embed("no-such-model"),
            lambda: Predict("no-such-model"),
            lambda: ExtractFeatures(FeatureSpec(sample_rate=4000)),
        ):
            with pytest.raises(UserError):
                make()


def test_a_song_that_ends_its_process_is_a_dead_letter():
    from keras_mir.beam.transforms import DeadLetter, EachItem, FeaturesOfSongs
    from pipelines.spec import FeatureSpec

    work = FeaturesOfSongs(FeatureSpec())
    work.function = ast.literal_eval
    do = EachItem(work)
    do.setup()
    (outcome,) = do.process("/song.mp3")
    reason = "ValueError: malformed node or string: PosixPath('/song.mp3')"
    assert outcome.value == DeadLetter("/song.mp3", f"/song.mp3: {reason}")
    do.teardown()


@pytest.fixture
def bucket(music, tmp_path):
    """A bucket with the clips in it, on a stand-in for S3, and the options that lead there."""
    pytest.importorskip("moto")
    boto3 = pytest.importorskip("boto3")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    server = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(server, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(300):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
            client = boto3.client("s3", endpoint_url=url, **keys)
            client.create_bucket(Bucket="bucket")
            for path in filter(Path.is_file, music.rglob("*")):
                client.upload_file(str(path), "bucket", f"MUSIC/{path.relative_to(music)}")
            options = ("--s3_access_key_id=x", "--s3_secret_access_key=x", "--s3_region_name=us-east-1")
            yield client, (*TWO, f"--s3_endpoint_url={url}", *options)
        finally:
            process.kill()


def test_files_that_are_elsewhere(bucket, data, model, run, tmp_path):
    client, options = bucket
    where = "s3://bucket/MUSIC"
    words = [where, "--labels", f"{where}/labels.csv", "--out", "s3://bucket/DATA", "--chunk", 3]
    done = run("beam prepare", *words, more=options)
    assert done.returncode == 1, done.stderr
    assert "8 extracted, 0 already there, 1 failed\n" in done.stdout
    again = run("beam prepare", *words, more=options)
    assert "0 extracted, 8 already there, 1 failed\n" in again.stdout
    copy = tmp_path / "DATA"
    for entry in client.list_objects_v2(Bucket="bucket", Prefix="DATA/")["Contents"]:
        path = copy.parent / entry["Key"]
        path.parent.mkdir(parents=True, exist_ok=True)
        client.download_file("bucket", entry["Key"], str(path))
    assert files(copy) == files(data)
    assert [path for path, _ in letters(copy)] == [f"{where}/Jazz/bad.flac"]

    out = tmp_path / "VECTORS"
    done = run("beam embed", where, "--model", model, "--out", out, more=options)
    assert "8 embedded, 1 failed; 0:16 of music" in done.stderr.splitlines(), done.stderr
    ((path, reason),) = letters(out)
    assert reason.startswith(f"{path}: cannot be decoded; ")
    from keras_mir.embed.table import read_table

    assert read_table(out).frame["path"][0] == f"{where}/Jazz/Jazz0.flac"
    again = run("beam embed", where, "--model", model, "--out", out, more=options)
    assert "1 failed, 8 already there" in again.stderr


@pytest.fixture
def dask_workers(environment):
    """The address of a scheduler with two workers, and the processes."""
    pytest.importorskip("distributed")
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster


def test_dask_and_a_worker_of_it_that_is_killed(music, data, environment, dask_workers, tmp_path):
    out = tmp_path / "DATA"
    words = ["prepare", *prepare(music, out), "--chunk", "1", "--", DASK]
    line = [sys.executable, "-m", "keras_mir.beam", *map(str, words), "--dask_partition_size=1"]
    line.append(f"--dask_client_address={dask_workers.scheduler_address}")
    with subprocess.Popen(
        line, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        while len(list((out / "extracted").glob("*.parquet"))) < 2:
            assert process.poll() is None
            time.sleep(0.02)
        os.kill(next(iter(dask_workers.workers.values())).pid, signal.SIGKILL)
        printed, _ = process.communicate(timeout=300)
    assert "8 extracted, 0 already there, 1 failed\n" in printed
    assert files(out) == files(data)
    assert len(list((out / "extracted").iterdir())) == 8


def test_a_job_server_with_a_pool_of_workers(music, data, run, environment, tmp_path):
    """The way to Flink and Spark, with Beam's own server in their place."""
    out = tmp_path / "DATA"
    ports = []
    for _ in range(2):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
    job, pool = ports
    lines = [
        ["apache_beam.runners.portability.local_job_service_main", f"--port={job}"],
        ["apache_beam.runners.worker.worker_pool_main", f"--service_port={pool}"],
    ]
    with ExitStack() as stack:
        for line in lines:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", *line],
                    env=environment,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
            stack.callback(process.kill)
        for port in ports:
            for _ in range(600):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
        options = (f"--job_endpoint=127.0.0.1:{job}", f"--environment_config=127.0.0.1:{pool}")
        more = ("--", "--runner=PortableRunner", "--environment_type=EXTERNAL", *options)
        done = run("beam prepare", *prepare(music, out), "--chunk", 3, more=more)
    assert done.returncode == 1, done.stderr
    assert files(out) == files(data)
