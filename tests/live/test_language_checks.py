"""The emitted check of a Ruby service with real Bundler and RSpec, on gems of Debian's: RubyGems is not asked."""

from __future__ import annotations

import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.unit.outputs.runner import Runner

pytestmark = pytest.mark.live

SPEC = """
describe "a berth" do
  it("is free") {{ expect(Bundler.require(:test).length).to be > 0 }}
  it("is long enough") {{ expect(12).to eq({length}) }}
end
"""


@pytest.fixture
def ruby(tmp_path: Path) -> Runner:
    """A service with two examples of RSpec, and its lock file as Bundler writes it."""
    known = ["ruby", "-e", "require 'rspec'; require 'rspec_junit_formatter'"]
    if not shutil.which("bundle") or subprocess.run(known, capture_output=True, check=False).returncode:
        pytest.skip("no Ruby with RSpec here (Debian: apt-get install bundler ruby-rspec ruby-rspec-junit-formatter)")
    runner = Runner(tmp_path, "polyglot2")
    service = runner.root / "berths"
    (service / "spec").mkdir(parents=True)
    (service / "Gemfile").write_text(
        'source "https://rubygems.org"\ngroup(:test) { gem "rspec"; gem "rspec_junit_formatter" }\n'
    )
    (service / "spec/berth_spec.rb").write_text(SPEC.format(length=12))
    subprocess.run(["bundle", "lock", "--local"], cwd=service, check=True, capture_output=True)
    return runner


def examples(runner: Runner) -> tuple[list[str], int]:
    """The names of the examples in the report, and how many have failed."""
    report = ET.fromstring(runner.report("junit.xml"))
    return sorted(c.get("name", "") for c in report.iter("testcase")), len([*report.iter("failure")])


def test_rspec_runs_and_leaves_its_report(ruby: Runner) -> None:
    ruby.run("ruby.sh", "test", "berths")
    assert examples(ruby) == (["a berth is free", "a berth is long enough"], 0)
    assert "2 examples, 0 failures" in ruby.report("test.log")


def test_an_example_that_fails_fails_the_job_and_is_in_the_report(ruby: Runner) -> None:
    (ruby.root / "berths/spec/berth_spec.rb").write_text(SPEC.format(length=13))
    assert ruby.run("ruby.sh", "test", "berths", check=False).returncode == 1
    assert examples(ruby)[1] == 1


def test_a_gemfile_that_the_lock_file_does_not_fit_is_refused(ruby: Runner) -> None:
    with (ruby.root / "berths/Gemfile").open("a") as gemfile:
        gemfile.write('gem "rack"\n')
    locked = (ruby.root / "berths/Gemfile.lock").read_text()
    done = ruby.run("ruby.sh", "test", "berths", check=False)
    assert done.returncode != 0
    assert "* rack" in done.stdout + done.stderr, done.stdout + done.stderr
    assert not (ruby.root / "reports/junit.xml").exists()
    assert (ruby.root / "berths/Gemfile.lock").read_text() == locked
