#!/bin/sh
# Runs ranks on two hosts, which are network namespaces with a cable between
# them: no interface is named, a host that is unplugged is told, and the run goes
# on. For Linux, as root:
#
#   sh tests/two_hosts.sh build/release/nestgrad
set -eu
program=$(realpath "$1")
folder=$(mktemp -d)
one=nestgrad-one two=nestgrad-two

clean() {
  for host in $one $two; do
    ip netns pids $host 2>/dev/null | xargs -r kill -9 || true
    ip netns del $host 2>/dev/null || true
  done
  rm -rf "$folder"
}
trap clean EXIT
fail() {
  echo "two_hosts.sh: $1" >&2
  tail -n 20 "$folder"/*.log >&2
  exit 1
}

ip netns add $one
ip netns add $two
ip link add cable1 netns $one type veth peer name cable2 netns $two
ip -n $one address add 10.77.0.1/24 dev cable1
ip -n $two address add 10.77.0.2/24 dev cable2
for host in $one $two; do ip -n $host link set lo up; done
ip -n $one link set cable1 up
ip -n $two link set cable2 up

cat >"$folder/config.json" <<END
{
  "precision": "float64",
  "threads": 1,
  "problem": {
    "type": "classification",
    "data": {"type": "gaussian_clusters", "train": 60, "valid": 60},
    "model": {"type": "mlp", "hidden": [8]},
    "batch": 20
  },
  "hyperparameters": {"weight_decay": {"initial": 1e-3, "per": "tensor"}},
  "estimator": {"type": "ift", "window": 3},
  "outer": {"type": "adam", "lr": 0.05, "steps": 30},
  "record": {"retrain": 10},
  "distributed": {"silent_seconds": 3, "join_seconds": 60}
}
END

# rank HOST RANK ARGUMENT...: a rank of four, two on each host.
rank() {
  host=$1 rank=$2
  shift 2
  ip netns exec "$host" env RANK="$rank" WORLD_SIZE=4 LOCAL_WORLD_SIZE=2 \
    MASTER_ADDR=10.77.0.1 MASTER_PORT=29500 \
    "$program" "$@" >"$folder/rank$rank.log" 2>&1
}

# all ARGUMENT...: four ranks; the code of each is in the file codes.
all() {
  : >"$folder/codes"
  for r in 0 1 2 3; do
    host=$one
    [ $r -lt 2 ] || host=$two
    { rank $host $r "$@" && code=0 || code=$?
      echo "$r $code" >>"$folder/codes"; } &
  done
}

cd "$folder"
"$program" run config.json --quiet --out alone >alone.log 2>&1
all run config.json --quiet --out both
wait
[ "$(grep -c ' 0$' codes)" = 4 ] || fail "ranks on two hosts have failed"
python3 - <<END || fail "two hosts find other hyperparameters than one process"
import json
both, alone = (json.load(open(f"{f}/summary.json"))["hyperparameters"]
               for f in ("both", "alone"))
def numbers(value):
    if isinstance(value, dict):
        return [n for v in value.values() for n in numbers(v)]
    return [value] if isinstance(value, float) else []
x, y = numbers(both), numbers(alone)
assert x and all(abs(a - b) <= 1e-9 * abs(b) for a, b in zip(x, y, strict=True))
END
echo "two hosts find what one process finds"

all run config.json --quiet --out lost --set outer.steps=1000000 \
  --set record.checkpoint.steps=5
for i in $(seq 600); do
  [ "$(cat lost/metrics.jsonl 2>/dev/null | wc -l)" -le 10 ] || break
  sleep 0.1
done
[ "$i" -lt 600 ] || fail "ranks on two hosts make no steps"
ip -n $two link set cable2 down
start=$(date +%s)
until grep -q '^0 ' codes; do
  [ $(($(date +%s) - start)) -lt 60 ] || fail "rank 0 does not notice it"
  sleep 0.1
done
took=$(($(date +%s) - start))
grep -q '^0 6$' codes || fail "rank 0 has another exit code than 6"
grep -Eq 'rank [23] ' rank0.log || fail "rank 0 does not name who is lost"
[ $took -le 7 ] || fail "rank 0 took $took seconds to notice a lost host"
echo "a host that is unplugged is told after $took seconds: $(tail -n 1 rank0.log)"
ip netns pids $two | xargs -r kill -9 || true
wait
"$program" resume lost --quiet --set outer.steps=200 >resume.log 2>&1 ||
  fail "the run does not go on"
echo "the run goes on without it"
