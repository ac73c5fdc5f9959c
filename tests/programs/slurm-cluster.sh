#!/usr/bin/env bash
# A Slurm cluster of three nodes on this machine, for tests. Needs root and Debian's packages slurmctld, slurmd,
# slurm-client and munge.
#
#   slurm-cluster.sh start FOLDER       starts node1, node2 and node3; their files are in FOLDER
#   slurm-cluster.sh kill FOLDER NODE   kills a node: its daemon and all its tasks at once, with SIGKILL
#   slurm-cluster.sh boot FOLDER NODE   starts a killed node again
#   slurm-cluster.sh stop FOLDER        kills the cluster; does nothing if it does not run
#
# With SLURM_CONF=FOLDER/slurm.conf, the commands of Slurm use this cluster. The cluster uses free ports of the loopback
# interface, a key of its own and no file outside FOLDER, so several clusters can run side by side.
set -euo pipefail

NODES=(node1 node2 node3)
# Upper limit in seconds for the start of the cluster.
PATIENCE=30

free_ports() {
    python3 - "$1" <<'PYTHON'
import socket, sys

sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(each.getsockname()[1] for each in sockets))
PYTHON
}

# Prints the configuration of the controller and of all nodes. The arguments are the ports: the controller's first.
configuration() {
    local host port=$1 i
    host=$(hostname -s)
    shift
    cat <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/%n
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/%n.log
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/%n.pid

# A requeued task waits for the end of its old credential, since the task may still run with it.
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket,cred_expire=5
# Seconds until a silent node is down and its tasks are requeued, and until a message without a reply has failed.
SlurmdTimeout=5
MessageTimeout=2
TCPTimeout=1
JobRequeue=1
ReturnToService=2

SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1
SelectType=select/linear
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
# A node has one processor, whatever this machine has.
SlurmdParameters=config_overrides
CONF
    for i in "${!NODES[@]}"; do
        shift "$((i > 0))"
        echo "NodeName=${NODES[i]} NodeHostname=$host NodeAddr=127.0.0.1 Port=$1 CPUs=1"
    done
    echo "PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP"
}

start() {
    local ports node
    stop
    mkdir -p "$folder"/{state,"${NODES[0]}","${NODES[1]}","${NODES[2]}"}
    chmod 700 "$folder"
    read -ra ports < <(free_ports "$((1 + ${#NODES[@]}))")
    configuration "${ports[@]}" > "$folder/slurm.conf"
    (umask 077 && head -c 1024 /dev/urandom > "$folder/munge.key")
    # Only root uses this cluster, and the folder is closed to others. Without --force munged demands an open one.
    munged --force --key-file "$folder/munge.key" --socket "$folder/munge.socket" --pid-file "$folder/munged.pid" \
        --log-file "$folder/munged.log" --seed-file "$folder/munged.seed" 2> "$folder/munged.start"
    slurmctld -f "$folder/slurm.conf"
    for node in "${NODES[@]}"; do boot "$node"; done
    wait_for_nodes
}

# Starts the daemon of a node. It is the first process of a namespace, and the kernel kills the others with it.
boot() {
    unshare --pid --fork --kill-child --mount-proc slurmd -D -f "$folder/slurm.conf" -N "$1" \
        >> "$folder/$1.out" 2>&1 < /dev/null &
    echo "$!" > "$folder/$1.parent"
}

wait_for_nodes() {
    local _
    for _ in $(seq "$((PATIENCE * 10))"); do
        [ "$(sinfo --noheader --Node --states=idle | wc -l)" -eq "${#NODES[@]}" ] && return
        sleep 0.1
    done
    echo "the nodes of the cluster did not start in $PATIENCE s:" >&2
    sinfo --Node --long >&2 || true
    tail -n 5 "$folder"/*.log >&2
    return 1
}

# Kills the first process of the node's namespace, which ends after all others, and then its parent.
kill_node() {
    local parent
    parent=$(cat "$folder/$1.parent" 2> /dev/null) || return 0
    kill_process "$(cat "/proc/$parent/task/$parent/children" 2> /dev/null)"
    kill_process "$parent"
    rm "$folder/$1.parent"
}

# Kills a process, if it runs, and waits for its end.
kill_process() {
    local id=${1// /}
    if [ -z "$id" ] || ! kill -KILL "$id" 2> /dev/null; then return; fi
    while runs "$id"; do sleep 0.01; done
}

# A dead process without a parent that waits for it is a zombie. It does not run.
runs() {
    local state
    state=$(sed 's/.*) \(.\).*/\1/' "/proc/$1/stat" 2> /dev/null) && [ "$state" != Z ]
}

stop() {
    local node daemon
    for node in "${NODES[@]}"; do kill_node "$node"; done
    for daemon in slurmctld munged; do
        kill_process "$(cat "$folder/$daemon.pid" 2> /dev/null)"
        rm -f "$folder/$daemon.pid"
    done
}

command=${1:?start, kill, boot or stop}
folder=$(realpath -m "${2:?the folder of the cluster}")
export SLURM_CONF=$folder/slurm.conf
case $command in
    start)
        trap stop EXIT
        start
        trap - EXIT
        ;;
    kill) kill_node "${3:?a node}" ;;
    boot) boot "${3:?a node}" ;;
    stop) stop ;;
    *) echo "start, kill, boot or stop, not $command" >&2 && exit 2 ;;
esac
