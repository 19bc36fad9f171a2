"""What protect.sh asks of GitHub and of the cluster."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.outputs import workflow_platforms as platforms
from tests.unit.outputs.runner import REAL, Runner

pytestmark = pytest.mark.skipif(not REAL["jq"], reason="jq is not installed")


def setup(tmp_path: Path, platform: str) -> Runner:
    tmp_path.mkdir(exist_ok=True)
    runner = Runner(tmp_path, platform)
    repository = json.dumps({"owner": {"login": "acme", "id": 12}, "name": "shop", "id": 345})
    runner.fake(
        "gh",
        f"""
        case "$*" in
          *nameWithOwner*) echo acme/shop ;;
          *oidc/customization/sub*) cat {tmp_path}/immutable 2> /dev/null || echo null ;;
          'api '*' repos/acme/shop --jq '*) jq --raw-output "${{@: -1}}" <<< '{repository}' ;;
          *git/ref/heads/main*) echo 1111 ;;
          *git/ref/heads/deploy/production*) [[ -e {tmp_path}/begun ]] ;;
          *git/ref/heads/*) exit 1 ;;
          *teams/*) echo '{{"type": "Team", "id": 7}}' ;;
          *users/*) echo '{{"type": "User", "id": 5}}' ;;
          *--input*) {{ printf '%s\\n' "$*"; jq --compact-output .; }} >> {tmp_path}/sent ;;
        esac""",
    )
    runner.fake(
        "glab",
        f"""
        case "$*" in
          *projects/:fullpath) echo '{{"path_with_namespace": "acme/shop"}}' ;;
          *deploy_keys) echo '[{{"id": 3, "title": "release", "can_push": true}}]' ;;
          *users*) echo '[{{"id": 5}}]' ;;
          *groups/acme*) echo '{{"id": 7}}' ;;
          *environments?name=*) echo '[]' ;;
          *repository/branches/deploy%2Fproduction) [[ -e {tmp_path}/begun ]] ;;
          *repository/branches/*) exit 1 ;;
          *--input*) {{ printf '%s %s\n' "$3" "${{@: -1}}"; jq --compact-output .; }} >> {tmp_path}/sent ;;
        esac""",
    )
    runner.fake("kubectl", f"cat > {tmp_path}/roles.json")
    return runner


def sent(tmp_path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Each request with a body: its method and path, and the body."""
    lines = (tmp_path / "sent").read_text().splitlines()
    requests = []
    for call, body in zip(lines[::2], lines[1::2], strict=True):
        words = call.split()
        if "--method" in words:
            words = words[words.index("--method") + 1 :]
        requests.append((f"{words[0]} {words[1]}", json.loads(body)))
    return requests


@pytest.mark.parametrize("platform", ["platform", "mixed"])
def test_main_requires_the_one_check_of_everybody(tmp_path: Path, platform: str) -> None:
    setup(tmp_path, platform).run("protect.sh", "repository")
    (path, main), (_, releases) = sent(tmp_path)
    assert path == "POST repos/acme/shop/rulesets"
    rules = {r["type"]: r.get("parameters") for r in main["rules"]}
    assert rules["required_status_checks"]["required_status_checks"] == [{"context": "ci-ok"}]
    assert rules["pull_request"]["required_approving_review_count"] == 1
    assert "bypass_actors" not in main
    assert releases["target"] == "tag"
    assert {r["type"] for r in releases["rules"]} >= {"update", "deletion"}


@pytest.mark.parametrize("begun", [False, True])
def test_what_argocd_follows_begins_at_main_and_takes_commits_of_the_deploy_key(tmp_path: Path, begun: bool) -> None:
    runner = setup(tmp_path, "platform")
    if begun:
        (tmp_path / "begun").touch()
    runner.run("protect.sh", "deployments")
    *branches, (path, rules) = sent(tmp_path)
    names = ["staging"] if begun else ["production", "staging"]
    assert branches == [
        ("POST repos/acme/shop/git/refs", {"ref": f"refs/heads/deploy/{name}", "sha": "1111"}) for name in names
    ]
    assert path == "POST repos/acme/shop/rulesets"
    assert rules["conditions"]["ref_name"]["include"] == ["refs/heads/deploy/*"]
    assert [a["actor_type"] for a in rules["bypass_actors"]] == ["DeployKey"]
    assert {r["type"] for r in rules["rules"]} == {"deletion", "update", "non_fast_forward"}


def test_an_environment_takes_its_refs_and_its_reviewers(tmp_path: Path) -> None:
    setup(tmp_path, "platform").run("protect.sh", "environments", "octocat", "acme/sre")
    requests = dict(sent(tmp_path))
    staging = requests["PUT repos/acme/shop/environments/staging"]
    production = requests["PUT repos/acme/shop/environments/production"]
    assert staging["reviewers"] == []
    assert production["reviewers"] == [{"type": "User", "id": 5}, {"type": "Team", "id": 7}]
    assert production["prevent_self_review"] is True
    policy = "POST repos/acme/shop/environments/{}/deployment-branch-policies"
    assert requests[policy.format("staging")] == {"name": "main", "type": "branch"}
    assert requests[policy.format("production")] == {"name": "v*", "type": "tag"}


def test_approval_without_a_reviewer_is_refused(tmp_path: Path) -> None:
    done = setup(tmp_path, "platform").run("protect.sh", "environments", check=False)
    assert done.returncode == 1
    assert "production needs approval: name a reviewer" in done.stdout


@pytest.mark.parametrize(
    ("platform", "environment"),
    [("platform", "staging"), ("flux-six", "dev"), ("mixed", "dev"), ("gitlab", "staging"), ("gitlab", "production")],
)
def test_an_identity_may_do_what_its_mode_needs_in_its_namespace(
    tmp_path: Path, platform: str, environment: str
) -> None:
    runner = setup(tmp_path, platform)
    runner.run("protect.sh", "cluster", environment)
    roles = json.loads((tmp_path / "roles.json").read_text())["items"]
    namespace = runner.facts()["environments"][environment]["namespace"]
    user = f"github:repo:acme/shop:environment:{environment}"
    if platform in platforms.GITLAB:
        ref = "tag" if runner.facts()["environments"][environment]["approval"] else "branch"
        user = f"gitlab:acme/shop:environment:{environment}:{ref}"
    for binding in [r for r in roles if r["kind"].endswith("Binding")]:
        assert [s["name"] for s in binding["subjects"]] == [user]
        assert binding["roleRef"]["name"] in {r["metadata"]["name"] for r in roles if r["kind"].endswith("Role")}
    for role in [r for r in roles if r["kind"] == "ClusterRole"]:
        assert [r["resourceNames"] for r in role["rules"]] == [[namespace]]
    own = next(r for r in roles if r["kind"] == "Role" and r["metadata"]["namespace"] == namespace)
    writable = {res for rule in own["rules"] if "create" in rule["verbs"] for res in rule["resources"]}
    assert writable == {"jobs"} if runner.facts()["engine"] else {"configmaps", "*"} <= writable
    assert "secrets" not in writable


def test_a_new_repository_is_known_by_its_number(tmp_path: Path) -> None:
    """GitHub's identities name owner and repository by numbers, so that nobody can take over a name."""
    runner = setup(tmp_path, "platform")
    (tmp_path / "immutable").write_text("true\n")
    runner.run("protect.sh", "cluster", "staging")
    roles = json.loads((tmp_path / "roles.json").read_text())["items"]
    users = {s["name"] for r in roles for s in r.get("subjects", [])}
    assert users == {"github:repo:acme@12/shop@345:environment:staging"}


@pytest.mark.skipif(not REAL["kubectl"], reason="kubectl is not installed")
@pytest.mark.parametrize(
    "platform", [n for n in platforms.NAMES if platforms.project(n)["delivery"]["mode"] == "kubectl"]
)
def test_an_identity_may_apply_every_object_of_its_environment(tmp_path: Path, platform: str) -> None:
    for environment in platforms.project(platform)["environments"]:
        runner = setup(tmp_path / environment["name"], platform)
        runner.run("protect.sh", "cluster", environment["name"])
        roles = json.loads((tmp_path / environment["name"] / "roles.json").read_text())["items"]
        may = {
            (group, resource)
            for role in roles
            for rule in role.get("rules", [])
            if "patch" in rule["verbs"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
        }
        done = subprocess.run(
            [str(REAL["kubectl"]), "kustomize", f"k8s/overlays/{environment['name']}"],
            cwd=runner.root, capture_output=True, text=True, check=True,
        )  # fmt: skip
        for document in yaml.safe_load_all(done.stdout):
            group = document["apiVersion"].rpartition("/")[0]
            kind = document["kind"].lower()
            plural = kind[:-1] + "ies" if kind.endswith("cy") else kind + ("es" if kind.endswith("ss") else "s")
            assert {(group, plural), (group, "*")} & may, f"{group}/{plural}"


def test_gitlab_protects_main_and_release_tags(tmp_path: Path) -> None:
    runner = setup(tmp_path, "flux-six-gitlab")
    runner.run("protect.sh", "repository")
    requests = dict(sent(tmp_path))
    assert requests["PUT projects/acme%2Fshop"]["only_allow_merge_if_pipeline_succeeds"] is True
    main = requests["POST projects/acme%2Fshop/protected_branches"]
    assert main == {"name": "main", "allow_force_push": False, "merge_access_level": 40, "push_access_level": 0}
    assert requests["POST projects/acme%2Fshop/protected_tags"] == {"name": "v*", "create_access_level": 40}
    deleted = [c[-1] for c in runner.calls("glab") if "DELETE" in c]
    assert deleted == [f"projects/acme%2Fshop/protected_{what}" for what in ("branches/main", "tags/v*")]


@pytest.mark.parametrize("begun", [False, True])
def test_what_flux_follows_takes_commits_of_the_deploy_key_on_gitlab(tmp_path: Path, begun: bool) -> None:
    runner = setup(tmp_path, "flux-six-gitlab")
    if begun:
        (tmp_path / "begun").touch()
    runner.run("protect.sh", "deployments")
    *branches, (path, protected) = sent(tmp_path)
    names = [n for n in sorted(runner.facts()["environments"]) if not (begun and n == "production")]
    assert branches == [
        ("POST projects/acme%2Fshop/repository/branches", {"branch": f"deploy/{name}", "ref": "main"}) for name in names
    ]
    assert path == "POST projects/acme%2Fshop/protected_branches"
    assert protected.pop("allowed_to_push") == [{"deploy_key_id": 3}]
    assert protected == {"name": "deploy/*", "allow_force_push": False, "merge_access_level": 0}
    deleted = [c[-1] for c in runner.calls("glab") if "DELETE" in c]
    assert set(deleted) == {"projects/acme%2Fshop/protected_branches/deploy%2F*"}


def test_gitlab_environments_have_their_reviewers_and_their_lock(tmp_path: Path) -> None:
    setup(tmp_path, "gitlab").run("protect.sh", "environments", "ada", "acme/sre")
    requests = sent(tmp_path)
    rules = {b["name"]: b["approval_rules"] for path, b in requests if path.endswith("/protected_environments")}
    assert rules["staging"] == []
    assert rules["production"] == [
        {"user_id": 5, "required_approvals": 1},
        {"group_id": 7, "required_approvals": 1},
    ]
    locks = {path.rsplit("/", 1)[1]: body for path, body in requests if "/resource_groups/" in path}
    assert locks == {f"deploy-{name}": {"process_mode": "oldest_first"} for name in ("staging", "production")}


def test_gitlab_without_premium_is_told_what_it_lacks(tmp_path: Path) -> None:
    runner = setup(tmp_path, "gitlab")
    fake = (runner.bin / "glab").read_text()
    (runner.bin / "glab").write_text(fake.replace("*deploy_keys)", "*protected_environments) exit 1 ;;\n*deploy_keys)"))
    done = runner.run("protect.sh", "environments", "ada")
    assert "NOT SET: approval for production" in done.stderr


@pytest.mark.parametrize("platform", ["platform", "gitlab"])
def test_a_wrong_call_shows_the_usage(tmp_path: Path, platform: str) -> None:
    done = setup(tmp_path, platform).run("protect.sh", check=False)
    assert done.returncode == 2
    assert "protect.sh repository" in done.stdout


@pytest.mark.parametrize("platform", ["mixed", "gitlab"])
def test_without_gitops_there_is_no_branch_to_follow(tmp_path: Path, platform: str) -> None:
    done = setup(tmp_path, platform).run("protect.sh", "deployments", check=False)
    assert done.returncode == 2
    assert "deployments" not in done.stdout
