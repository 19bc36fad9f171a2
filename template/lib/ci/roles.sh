# What the cluster lets the deployments to an environment do; docs/runbooks/deploy.md tells how it comes to know them.
cluster() {
  local user namespace
  export ENVIRONMENT=$1
  user=$(cluster_user)
  namespace=$(environment .namespace)
  jq --null-input --arg user "$user" --arg namespace "$namespace" --arg engine "$(jq --raw-output .engine "$PLATFORM")" '
    def rule($groups; $resources; $verbs): {apiGroups: $groups, resources: $resources, verbs: $verbs};
    def role($space; $name; $rules): [
      {apiVersion: "rbac.authorization.k8s.io/v1", kind: "Role", metadata: {name: $name, namespace: $space}, rules: $rules},
      {apiVersion: "rbac.authorization.k8s.io/v1", kind: "RoleBinding", metadata: {name: $name, namespace: $space},
       roleRef: {apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: $name},
       subjects: [{apiGroup: "rbac.authorization.k8s.io", kind: "User", name: $user}]}];
    ["get", "list", "watch", "create", "patch", "delete"] as $change
    | {apiVersion: "v1", kind: "List", items: (
        if $engine == "" then role($namespace; "deployer"; [
          rule([""]; ["configmaps", "limitranges", "persistentvolumeclaims", "resourcequotas", "serviceaccounts", "services"]; $change),
          rule([""]; ["events", "pods", "pods/log"]; ["get", "list", "watch"]),
          rule(["apps", "argoproj.io", "autoscaling", "batch", "bitnami.com", "cert-manager.io", "external-secrets.io",
                "gateway.networking.k8s.io", "keda.sh", "monitoring.coreos.com", "networking.k8s.io", "policy"]; ["*"]; $change)])
          # Labels of its own namespace, which an administrator has created.
          + [{apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata: {name: ("namespace-" + $namespace)},
              rules: [rule([""]; ["namespaces"]; ["get", "patch"]) + {resourceNames: [$namespace]}]},
             {apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRoleBinding", metadata: {name: ("namespace-" + $namespace)},
              roleRef: {apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: ("namespace-" + $namespace)},
              subjects: [{apiGroup: "rbac.authorization.k8s.io", kind: "User", name: $user}]}]
        else
          role($namespace; "verifier"; [
            rule(["batch"]; ["jobs"]; ["get", "list", "watch", "create", "delete"]),
            rule([""]; ["pods", "pods/log"]; ["get", "list", "watch"])])
          + (if $engine == "argocd" then role("argocd"; "release-reader-" + $namespace; [rule(["argoproj.io"]; ["applications"]; ["get", "list", "watch"])])
             else role("flux-system"; "release-reader-" + $namespace; [rule(["kustomize.toolkit.fluxcd.io"]; ["kustomizations"]; ["get", "list", "watch"])]) end)
        end)}' | kubectl apply --filename -
  say "roles of $user in $namespace"
}

case ${1:-} in
  repository | environments | {{ 'deployments | ' if project.delivery.mode == 'gitops' else '' }}cluster) "$@" ;;
  *) sed -n '/^#   protect/s/^# *//p' "$0" && exit 2 ;;
esac
