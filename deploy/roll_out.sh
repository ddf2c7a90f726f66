#!/usr/bin/env bash
# Rolls a version of Turnout out to an environment, watches it by its own metrics, and takes it back if it is worse.
#
#   deploy/roll_out.sh ENVIRONMENT IMAGE DEMO_IMAGE [WATCH_SECONDS]
#
# kubectl must know the environment's cluster. Prometheus is asked through a port-forward to the service that
# TURNOUT_PROMETHEUS_SERVICE names, in the namespace TURNOUT_PROMETHEUS_NAMESPACE.
# Exits 0 if the new version stays; 1 if it was taken back, or could not be rolled out.
set -euo pipefail
environment=$1 image=$2 demo_image=$3 watch=${4:-300}
namespace=turnout-$environment
prometheus_namespace=${TURNOUT_PROMETHEUS_NAMESPACE:-monitoring}
prometheus_service=${TURNOUT_PROMETHEUS_SERVICE:-prometheus-operated}
port=${TURNOUT_PROMETHEUS_LOCAL_PORT:-19090}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
forward=
finish() {
  if [[ -n $forward ]]; then kill "$forward" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap finish EXIT

# The control plane first: a state that a new version writes, the old data plane must be able to read, and
# docs say where it is not so. Each is taken back to the version that it had, not to "the one before".
planes=(turnout-control turnout-proxy)
revision_of() {
  kubectl --namespace "$namespace" get "deployment/$1" --ignore-not-found \
    --output 'jsonpath={.metadata.annotations.deployment\.kubernetes\.io/revision}'
}
take_back() {
  echo "taking $environment back" >&2
  for plane in "${planes[@]}"; do
    before=$(cat "$work/$plane.revision")
    if [[ -z $before ]]; then
      echo "$plane was not there before: there is nothing to go back to" >&2
    elif [[ $before != "$(revision_of "$plane")" ]]; then
      kubectl --namespace "$namespace" rollout undo "deployment/$plane" --to-revision="$before"
      kubectl --namespace "$namespace" rollout status "deployment/$plane" --timeout=10m
    fi
  done
  exit 1
}

python3 "$here/render.py" "$environment" --image "$image" --demo-image "$demo_image" > "$work/objects.yaml"
for plane in "${planes[@]}"; do revision_of "$plane" > "$work/$plane.revision"; done
since=$(date +%s)

kubectl apply --server-side --filename "$work/objects.yaml" || take_back
for plane in "${planes[@]}"; do
  kubectl --namespace "$namespace" rollout status "deployment/$plane" --timeout=10m || take_back
done

kubectl --namespace "$prometheus_namespace" port-forward "service/$prometheus_service" "$port:9090" \
  > "$work/forward.log" 2>&1 &
forward=$!
for _ in {1..30}; do
  if grep -q "Forwarding from" "$work/forward.log"; then break; fi
  sleep 1
done
# Whatever keeps the new version from being judged good, takes it back: also a Prometheus that does not answer.
python3 "$here/check_rollout.py" --prometheus "http://127.0.0.1:$port" --since "$since" --watch "$watch" \
  --selector "namespace=\"$namespace\",plane=\"data\"" || take_back
echo "$environment runs $image"
